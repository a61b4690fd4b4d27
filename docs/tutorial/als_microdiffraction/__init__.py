"""Microdiffraction maps in lightwell."""
