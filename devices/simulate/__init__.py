"""Practice instruments without a radio: real Bluetooth bytes behind BlueZ's D-Bus interface."""
