"""Views draw records: strings, tables, charts. They know the engine's data, no widget, and own no state."""
