"""Phase fields: many compositions, their convex hull, and where to search next."""
