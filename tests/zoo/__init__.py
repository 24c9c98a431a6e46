"""Models and their parts, against enumeration, closed forms and brute force."""
