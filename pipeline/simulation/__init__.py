"""The demo's world: simulated users and a tiny model."""
