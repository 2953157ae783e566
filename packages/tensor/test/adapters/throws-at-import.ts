throw new Error("no device here\nmore about it");
