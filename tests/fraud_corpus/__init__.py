"""Two hundred scripted attacks and two hundred honest signups, on which the fraud rules are tried."""
