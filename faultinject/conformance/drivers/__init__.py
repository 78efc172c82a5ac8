"""The SDKs that a driver is here for: a folder for each way in which a driver runs, with the drivers and `clients.toml`.

Each table of `clients.toml` is a client, by the name that `--client` takes:

    package   what it is called where it is installed from: the distribution, the npm package, the program, the beginning of the jar's name
    driver    of Python `module:FACTORY` in the folder, else the file
    vendor    whose service is played for it
    title     for people; by default the package
    language  what the client is written in, where that is not the folder's
    note      what is not its default
    aws       whether its documentation has the header by which AWS asks its own SDKs to wait
    packages  what is installed to have it, where that is not the package, such as the Debian package of a program
    home      where it is installed, where that is not the folder's
    deadline  what all its calls need where half a minute is too short, such as `200s`
    profile   what it is judged by, where its user agent is that of another client
"""
