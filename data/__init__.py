"""The bundled starter data, as package resources: see README.md beside this file."""
