"""Pure functions of tomography on arrays; importing this package costs nothing."""
