# SPDX-License-Identifier: MIT
"""What the integration tests stand on: real and scripted servers, clients, and mxguard itself."""
