"""Widgets that several pages share: sidebar, gallery, map, picture, filters, decisions, forms."""
