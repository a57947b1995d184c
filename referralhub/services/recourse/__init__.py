"""What members can do about credit that is missing or was refused, once a friend has signed up."""
