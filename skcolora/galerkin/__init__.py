"""Neural Galerkin: an equation moves the latent state of a network."""
