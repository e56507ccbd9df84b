"""Tables as services of the Virtual Observatory send them."""
import io

from astropy.io.votable import from_table
from astropy.io.votable.tree import Info

__all__ = ["votable", "votable_error"]


def votable(table, *, ucds=None, overflow=False):
    """Write a table; ``ucds`` gives those of columns by name."""
    document = from_table(table)
    resource = document.resources[0]
    resource.type = "results"
    resource.infos.append(Info(name="QUERY_STATUS", value="OVERFLOW" if overflow else "OK"))
    for column in resource.tables[0].fields:
        column.ucd = (ucds or {}).get(column.name)
    file = io.BytesIO()
    document.to_xml(file, tabledata_format="tabledata")
    return file.getvalue()


def votable_error(message):
    """Write the document that says that a query failed."""
    message = message.replace("&", "&amp;").replace("<", "&lt;")
    return (f'<?xml version="1.0"?><VOTABLE version="1.4" '
            f'xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">'
            f'<INFO name="QUERY_STATUS" value="ERROR">{message}</INFO></RESOURCE></VOTABLE>')
