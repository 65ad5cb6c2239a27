
public sealed class GoldenCoverageTests
{
    [SharedFact("golden", "metrics")]
    public void Every_golden_folder_and_file_has_a_test_class()
    {
        var handled = typeof(GoldenCoverageTests).Assembly.GetTypes()
            .SelectMany(type => type.GetCustomAttributes(typeof(GoldenFolderAttribute), false).Cast<GoldenFolderAttribute>())
            .SelectMany(a => a.Files.Select(file => $"{a.Folder}/{file}"))
            .ToHashSet();
        string root = SharedFolder.Find("golden", "metrics")!;
        IEnumerable<string> present = Directory.GetFiles(root, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(root, path).Replace('\\', '/'))
            .Where(path => Path.GetFileName(path) != "README.md");
        Assert.All(present, path => Assert.Contains(path, handled));
    }
}
