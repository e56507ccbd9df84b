"""Write one self-contained HTML page about a classified table."""
from astromorph.report.page import check_report, reports_nothing, write_report

__all__ = ["check_report", "reports_nothing", "write_report"]
