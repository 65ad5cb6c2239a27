using Gradus.Cli.Verbs;
using Gradus.Training.Data.Registry;

namespace Gradus.Cli.Console;

/// <summary>
/// Data sets by their names: <c>$data/NAME/FILE</c> in recipes and on command lines. They are found in <c>GRADUS_DATA</c>, in <c>./data</c> and in the
/// cache (<c>GRADUS_CACHE</c>, else <c>XDG_CACHE_HOME/gradus</c> or <c>~/.cache/gradus</c>), and fetched into the first of GRADUS_DATA and the cache when
/// a person agrees or a flag says so. <c>GRADUS_DATA_REGISTRY</c> names a registry to use instead of the one that comes with the command.
/// </summary>
/// <param name="context">The command line.</param>
/// <param name="fetch">Whether missing sets are fetched without a question.</param>
internal sealed class NamedData(CommandContext context, bool fetch)
{
    /// <summary>What stands for the folder of data sets at the beginning of a path.</summary>
    public const string Variable = "$data";

    private const string RegistryFile = "data/registry.json";
    private static readonly Lazy<DataSetRegistry> Shared = new(ReadRegistry);

    /// <summary>The data sets that have names.</summary>
    public static DataSetRegistry Registry => Shared.Value;

    /// <summary>The folders where sets are looked for.</summary>
    public static IReadOnlyList<string> Folders => [.. new[] { FromEnvironment("GRADUS_DATA"), Path.GetFullPath("data"), Path.Combine(Cache, "data") }.OfType<string>()];

    /// <summary>Where sets are fetched to.</summary>
    public static string Target => FromEnvironment("GRADUS_DATA") ?? Path.Combine(Cache, "data");

    /// <summary>Paths with the names of data sets replaced by where they lie.</summary>
    /// <exception cref="UsageException">A set is unknown, or is not here and may not be fetched.</exception>
    public string[] Resolve(IEnumerable<string> paths) => [.. paths.Select(Resolve)];

    /// <inheritdoc cref="Resolve(IEnumerable{string})"/>
    public string Resolve(string path)
    {
        if (!path.StartsWith(Variable + "/", StringComparison.Ordinal))
            return path;
        string[] parts = path[(Variable.Length + 1)..].Split('/', 2);
        if (parts.Length < 2 || parts[1].Length == 0 || parts.Any(p => p.Split('/').Contains("..")))
            throw new UsageException($"{path}: name a data set and a file, as in {Variable}/NAME/FILE; gradus data list shows them.");
        using DataSetStore store = new(Folders);
        if (store.Find(parts[0], parts[1]) is { } here)
            return here;
        if (Registry.Find(parts[0]) is not { } set)
            throw new UsageException($"{path}: no data set \"{parts[0]}\" lies in {string.Join(", ", Folders)}, and none is known by that name; gradus data list shows those that are.");
        if (set.Files.All(f => f.Name != parts[1]))
            throw new UsageException($"{path}: the data set has no such file; it has {string.Join(", ", set.Files.Select(f => f.Name))}.");
        if (!fetch && !Agreed(set))
            throw new UsageException($"{path}: is not in {string.Join(", ", Folders)}; fetch it with gradus data get {set.Name}, or give --fetch.");
        return Fetch(store, set, Target, context).First(f => f.EndsWith($"{Path.DirectorySeparatorChar}{parts[1].Replace('/', Path.DirectorySeparatorChar)}", StringComparison.Ordinal));
    }

    /// <summary>Fetches all files of a set.</summary>
    /// <returns>Their paths.</returns>
    public static IReadOnlyList<string> Fetch(DataSetStore store, DataSetInfo set, string folder, CommandContext context)
    {
        List<string> paths = [];
        foreach (DataSetFile file in set.Files)
        {
            HubModels.ProgressLine line = new(context.ErrorIsTerminal);
            Progress progress = new(bytes => line.Report(new Files.Hub.HubProgress(file.Name, bytes, file.Size, bytes, file.Size)));
            paths.Add(store.FetchAsync(set, file, folder, progress, context.Cancellation).GetAwaiter().GetResult());
        }
        return paths;
    }

    /// <summary>A size, licence and source in a few words.</summary>
    public static string Describe(DataSetInfo set) => $"{set.Name} ({Facts.Bytes(set.Size)}, {set.Licence}, {set.Source})";

    private bool Agreed(DataSetInfo set)
    {
        if (!context.InputIsTerminal || !context.ErrorIsTerminal)
            return false;
        context.Error.Write($"gradus: the data set {Describe(set)} is not here. Fetch it into {Target}? [Y/n] ");
        return System.Console.ReadLine()?.Trim().ToUpperInvariant() is "" or "Y" or "YES";
    }

    private static DataSetRegistry ReadRegistry()
    {
        if (FromEnvironment("GRADUS_DATA_REGISTRY") is { } path)
            return File.Exists(path) ? DataSetRegistry.Parse(File.ReadAllText(path), path) : throw new UsageException($"GRADUS_DATA_REGISTRY: {path}: no such file.");
        return DataSetRegistry.Parse(EmbeddedText.Read(RegistryFile), RegistryFile);
    }

    /// <summary>The folder of what can be fetched or made again.</summary>
    public static string Cache => FromEnvironment("GRADUS_CACHE")
        ?? Path.Combine(FromEnvironment("XDG_CACHE_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"), "gradus");

    private static string? FromEnvironment(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? Path.GetFullPath(value) : null;

    private sealed class Progress(Action<long> report) : IProgress<long>
    {
        public void Report(long value) => report(value);
    }
}
