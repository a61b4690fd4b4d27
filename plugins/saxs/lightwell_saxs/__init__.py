"""Small- and wide-angle scattering: a plugin that loads and offers nothing yet."""
