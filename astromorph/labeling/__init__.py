"""People label galaxies: pictures, one key an answer, a journal that loses none."""
