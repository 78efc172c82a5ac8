"""The SDKs that have a driver.

There is a folder for each way in which a driver runs, with the drivers and `clients.toml`. Each table of
`clients.toml` is a client, by the name that `--client` takes:

    package   the name of the distribution, the npm package or the program, or the beginning of the jar's name
    driver    for Python `module:FACTORY` in the folder, otherwise the file
    vendor    the vendor of the store that it gets
    title     its name for people; by default the package
    language  its language, if it is not the folder's
    note      the settings that are not its default
    aws       whether its documentation has the header by which AWS asks its own SDKs to wait
    packages  the packages to install, if it is not the package, such as the Debian package of a program
    home      the place of its installation, if it is not the folder's
    deadline  its time limit, if it is longer than half a minute, such as `200s`
    profile   its profile, if its user agent does not choose the right one
"""
