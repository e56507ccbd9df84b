"""Classified tables in other tools: TOPCAT and all that speaks SAMP, Aladin, MOC, thumbnails."""
from astromorph.interop.aladin import show
from astromorph.interop.coverage import to_moc
from astromorph.interop.samp import SampLink, send
from astromorph.interop.thumbnails import add_thumbnails

__all__ = ["SampLink", "add_thumbnails", "send", "show", "to_moc"]
