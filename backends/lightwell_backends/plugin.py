"""What the backends offer lightwell: nothing yet.

A backend ships once it passes the contract shared by all of its kind.
"""

lightwell_api = 1
