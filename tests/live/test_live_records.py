"""The real services of all other records, on request: pytest --remote-data tests/live."""
import pytest
from live_contract import RecordContract

pytestmark = pytest.mark.remote_data


class TestRecords(RecordContract):
    pass
