// The SDK's version; the build fails when package.json says another.

export const version = "0.1.0";
