"""`python -m terradrift` is the `terradrift` command."""

from terradrift.cli import main

if __name__ == "__main__":
    main()
