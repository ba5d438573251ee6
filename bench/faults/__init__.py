"""The fault campaign: many lifecycles, killed processes and broken systems, and an auditor who looks from outside."""
