"""From what is known to what is done: audiences, arms that stay as drawn, lists for the channels."""
