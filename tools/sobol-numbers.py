#!/usr/bin/env python
"""Prints packages/sigreg/src/sobol-numbers.ts: Joe and Kuo's direction numbers (new-joe-kuo-6), packed.

  python tools/sobol-numbers.py > packages/sigreg/src/sobol-numbers.ts      (needs scipy, which ships the numbers)

For dimensions 2, 3, ... in turn, as one stream of bits, most significant first: the degree s of the primitive
polynomial (4 bits), its s - 1 inner coefficients, and for i = 1..s the i - 1 upper bits of m_i, whose last bit is 1."""
import base64
import os
import textwrap

import numpy as np
import scipy.stats._sobol

DIMENSIONS = 1024
table = np.load(os.path.join(os.path.dirname(scipy.stats._sobol.__file__), "_sobol_direction_numbers.npz"))
bits = ""
for polynomial, initial in zip(table["poly"][1:DIMENSIONS], table["vinit"][1:DIMENSIONS]):
    coefficients = f"{int(polynomial):b}"
    degree = len(coefficients) - 1
    bits += f"{degree:04b}" + coefficients[1:-1]
    for i in range(1, degree + 1):
        m = int(initial[i - 1])
        assert m % 2 == 1 and m < 2**i
        if i > 1:
            bits += f"{m >> 1:0{i - 1}b}"
bits += "0" * (-len(bits) % 8)
packed = base64.b64encode(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))).decode()
print(f"""/** How many dimensions the table holds. */
export const sobolDimensions = {DIMENSIONS};

/** Direction numbers of Sobol's sequence for dimensions 2 to {DIMENSIONS}, packed by tools/sobol-numbers.py, which says how.
 *  Numbers: Joe and Kuo, Constructing Sobol sequences with better two-dimensional projections, SIAM J. Sci. Comput. 30
 *  (2008), new-joe-kuo-6; Copyright (c) 2008, Frances Y. Kuo and Stephen Joe, see NOTICE. */
export const packedSobolNumbers = `
{chr(10).join(textwrap.wrap(packed, 116))}
`;""")
