using System.Diagnostics;

namespace Gradus.Cli.Tests.Packages;

/// <summary>All packages of this build in a folder, and a NuGet configuration that knows no other source.</summary>
public sealed class PackageFeed : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("gradus-packages").FullName;

    public PackageFeed()
    {
        Folder = NewFolder("feed");
        Dotnet(Repository, "pack", "-c", BuildConfiguration, "--no-build", "-o", Folder);
        string sample = Directory.GetFiles(Folder, "Gradus.Training.*.nupkg").Single();
        Version = Path.GetFileNameWithoutExtension(sample)["Gradus.Training.".Length..];
        Configuration = Path.Combine(_root, "nuget.config");
        string packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        File.WriteAllText(Configuration, $"""
            <configuration>
              <packageSources><clear /><add key="local" value="{Folder}" /></packageSources>
              <fallbackPackageFolders><add key="built" value="{packages}" /></fallbackPackageFolders>
            </configuration>
            """);
    }

    /// <summary>The root of the clone.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>Release or Debug: as these tests were built.</summary>
    public static string BuildConfiguration { get; } = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    public string Folder { get; }

    public string Version { get; }

    public string Configuration { get; }

    public static string Name(string package) => Path.GetFileNameWithoutExtension(package) is var name ? System.Text.RegularExpressions.Regex.Replace(name, @"\.[0-9].*$", "") : "";

    public string NewFolder(string name) => Directory.CreateDirectory(Path.Combine(_root, name)).FullName;

    public string Dotnet(string folder, params string[] arguments) => Run("dotnet", folder, arguments, ("NUGET_PACKAGES", folder == Repository ? null : Path.Combine(_root, "packages")));

    public static string Run(string program, string folder, params string[] arguments) => Run(program, folder, arguments, ("DOTNET_NOLOGO", "1"));

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static string Run(string program, string folder, string[] arguments, (string Name, string? Value) variable)
    {
        ProcessStartInfo start = new(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        if (variable.Value is not null)
            start.Environment[variable.Name] = variable.Value;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        if (!process.WaitForExit(TimeSpan.FromMinutes(10)))
            process.Kill(entireProcessTree: true);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: exit code {process.ExitCode}\n{output}\n{error.Result}");
        return output + error.Result;
    }

    private static string FindRepository()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Gradus.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests do not lie in a clone of the repository.");
    }
}
