"""What every step stands on: places, messages, settings, locks, the engine. It knows no step."""
