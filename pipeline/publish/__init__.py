"""From the build file to what readers see."""
