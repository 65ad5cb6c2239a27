namespace Gradus.Testing;

/// <summary>
/// The folder of goldens and data that lies beside the checkout: <c>GRADUS_SHARED</c>, or the nearest <c>shared</c> folder
/// beside a parent of the test assembly. Tests that need it are skipped with a message where it is absent.
/// </summary>
public static class SharedFolder
{
    /// <summary>The folder's full path, or null where there is none.</summary>
    public static string? Root { get; } = Find();

    /// <summary>The full path of a file or folder below the shared folder, or null where it is absent.</summary>
    public static string? Find(params string[] parts)
    {
        if (Root is null)
            return null;
        string path = Path.Combine([Root, .. parts]);
        return File.Exists(path) || Directory.Exists(path) ? path : null;
    }

    /// <summary>The golden cases of an area: the names of all folders below <c>golden/area</c>, sorted.</summary>
    public static IEnumerable<string> GoldenCases(params string[] area)
    {
        string? folder = Find(["golden", .. area]);
        return folder is null ? [] : Directory.GetDirectories(folder).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal);
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("GRADUS_SHARED") is { Length: > 0 } given)
            return Directory.Exists(given) ? Path.GetFullPath(given) : null;
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
        {
            if (Directory.Exists(Path.Combine(d.FullName, "shared", "golden")))
                return Path.Combine(d.FullName, "shared");
        }
        return null;
    }
}

/// <summary>A fact that needs the shared folder, or one path below it; skipped with a message where that is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute(params string[] path)
    {
        if (SharedFolder.Find(path) is null)
            Skip = $"needs {Path.Combine(["<shared>", .. path])}; set GRADUS_SHARED to the folder of goldens and data";
    }
}

/// <summary>A theory that needs the shared folder, or one path below it; skipped with a message where that is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedTheoryAttribute : TheoryAttribute
{
    public SharedTheoryAttribute(params string[] path)
    {
        if (SharedFolder.Find(path) is null)
            Skip = $"needs {Path.Combine(["<shared>", .. path])}; set GRADUS_SHARED to the folder of goldens and data";
    }
}
