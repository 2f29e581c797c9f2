"""The schema, macros, views and named queries of the store, as package resources."""
