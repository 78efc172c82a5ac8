"""The SDKs that have a driver.

There is a folder for each way in which a driver runs, with the drivers and `clients.toml`. Each table of
`clients.toml` is a client, by the name that `--client` takes:

    package   its name where it is installed from: the distribution, the npm package, the program, the
              beginning of the jar's name
    driver    of Python `module:FACTORY` in the folder, else the file
    vendor    the service that is played for it
    title     for people; by default the package
    language  the client's, where that is not the folder's
    note      the settings that are not its default
    aws       whether its documentation has the header by which AWS asks its own SDKs to wait
    packages  what is installed to have it, where that is not the package, such as the Debian package of a program
    home      the place of its installation, where that is not the folder's
    deadline  the time that all its calls need where half a minute is too short, such as `200s`
    profile   the profile by which it is judged, where its user agent is that of another client
"""
