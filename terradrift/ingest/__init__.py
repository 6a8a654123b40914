"""Sources to scenes and chips: catalogues, folders, reflectance, masks, reads."""
