"""Words for people: what pages, mail and commands say for the codes that the services speak in."""
