"""The left-over class: bags that are not solved go to the class that is left."""
