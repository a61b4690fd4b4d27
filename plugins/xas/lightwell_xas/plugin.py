"""What X-ray absorption spectroscopy offers lightwell: nothing yet.

It is installed so that its place in the house, its entry point and its name are settled.
"""

lightwell_api = 1
