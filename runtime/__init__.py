"""What every process of latecomer needs, be it a pipeline or a server. It uses none of the other packages."""
