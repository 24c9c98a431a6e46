"""What the tests share: cases, small runs, stand-ins, and the deliberate mistakes."""
