namespace Gradus.Applications.Retrieval.Documents;

/// <summary>A file that was found below a folder.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Name">Its path relative to the folder, with slashes: how an index knows it.</param>
public sealed record DocumentFile(string Path, string Name);

/// <summary>Finds the files that readers know.</summary>
public static class DocumentFiles
{
    private static readonly EnumerationOptions Entries = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    /// <summary>
    /// The files of a folder and those below it, sorted by name; or a single file. Folders that are symbolic links are not followed, so there are no
    /// loops; hidden files and folders (a leading dot) are passed over.
    /// </summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="pattern">A wildcard for the relative path (<c>*</c> within a name, <c>**</c> across folders), or null for all formats known.</param>
    /// <param name="skipped">Takes what was passed over and why; null: nobody wants to know.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    public static IReadOnlyList<DocumentFile> Find(string path, string? pattern = null, Action<string, string>? skipped = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
            return [new DocumentFile(path, System.IO.Path.GetFileName(path))];
        if (!Directory.Exists(path))
            throw new FileNotFoundException($"{path}: no such file or folder; give the folder that holds the documents.");
        List<DocumentFile> files = [];
        Stack<string> folders = new([path]);
        while (folders.TryPop(out string? folder))
        {
            try
            {
                foreach (FileSystemInfo entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", Entries))
                    Sort(entry, path, pattern, folders, files, skipped);
            }
            catch (Exception e) when (e is UnauthorizedAccessException or IOException)
            {
                skipped?.Invoke(folder, e.Message);
            }
        }
        files.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return files;
    }

    private static void Sort(FileSystemInfo entry, string root, string? pattern, Stack<string> folders, List<DocumentFile> files, Action<string, string>? skipped)
    {
        if (entry.Name.StartsWith('.'))
            return;
        string name = System.IO.Path.GetRelativePath(root, entry.FullName).Replace('\\', '/');
        if (entry is DirectoryInfo)
        {
            if (entry.LinkTarget is null)
                folders.Push(entry.FullName);
            else
                skipped?.Invoke(name, "a link to a folder, not followed");
        }
        else if (pattern is null ? DocumentReader.For(entry.Name) is not null : Matches(name, pattern))
        {
            if ((entry.Attributes & FileAttributes.Device) == 0 && File.Exists(entry.FullName))
                files.Add(new DocumentFile(entry.FullName, name));
            else
                skipped?.Invoke(name, "no ordinary file");
        }
    }

    private static bool Matches(string name, string pattern) =>
        System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern.Replace("**/", "*", StringComparison.Ordinal), pattern.Contains('/', StringComparison.Ordinal) ? name : System.IO.Path.GetFileName(name));
}
