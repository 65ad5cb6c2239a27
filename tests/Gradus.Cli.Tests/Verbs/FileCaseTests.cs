using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Testing;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>
/// Checkpoints and GGUF files after public reports, found by listing <c>cases/files</c> of the shared folder. Whatever lies there finishes in
/// every verb; for those that <c>file-cases.json</c> beside this file names it says what is right: the ids of a sound twin, ids that the
/// reference gives, or what the error must say.
/// </summary>
public sealed class FileCaseTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gradus-cases-");

    /// <summary>All cases with a model of their own: a config.json or a GGUF file.</summary>
    public static TheoryData<string> Models => [.. Names().Where(n => Path.Exists(Path.Combine(Folder(n), "config.json")) || Directory.GetFiles(Folder(n), "*.gguf*").Length > 0)];

    /// <summary>The cases that have an expectation and are there.</summary>
    public static TheoryData<string> Expected => [.. Expectations().Select(e => e.GetProperty("case").GetString()!).Where(Names().Contains)];

    public void Dispose() => _folder.Delete(recursive: true);

    [SharedTheory("cases", "files")]
    [MemberData(nameof(Models))]
    public void EveryVerbFinishes(string name) => InProcess.EveryVerbFinishes(Model(name), Path.Combine(_folder.FullName, "written"), name);

    [SharedTheory("cases", "files")]
    [MemberData(nameof(Expected))]
    public void IsRight(string name)
    {
        JsonElement expected = Expectations().First(e => e.GetProperty("case").GetString() == name);
        CommandLineRun run = Generate(Model(name));
        if (expected.TryGetProperty("says", out JsonElement says))
            run.Fails(2, [.. says.EnumerateArray().Select(s => s.GetString()!)]);
        if (expected.TryGetProperty("like", out JsonElement twin))
            Assert.Equal(Ids(Generate(Twin(twin.GetString()!, expected))), Ids(run));
        if (expected.TryGetProperty("ids", out JsonElement ids))
            Assert.Equal(ids.EnumerateArray().Select(i => i.GetInt32()), Ids(run).Take(ids.GetArrayLength()));
        if (expected.TryGetProperty("tokens", out JsonElement tokens))
            Assert.Equal(tokens.GetInt32(), Ids(run).Length);
        if (expected.TryGetProperty("lists", out JsonElement lists))
        {
            string output = InProcess.Of("inspect", Model(name), "--tensors").Succeeds().Output;
            Assert.All(lists.EnumerateArray(), word => Assert.Contains(word.GetString()!, output, StringComparison.Ordinal));
        }
    }

    [SharedTheory("cases", "files")]
    [MemberData(nameof(Expected))]
    public void ItsConversionsWriteTheSame(string name)
    {
        JsonElement expected = Expectations().First(e => e.GetProperty("case").GetString() == name);
        if (expected.TryGetProperty("says", out _))
            return;
        int[] ids = Ids(Generate(Model(name)));
        string folder = Path.Combine(_folder.FullName, "converted");
        InProcess.Of("convert", Model(name), folder).Succeeds();
        Assert.Equal(ids, Ids(Generate(folder)));
        InProcess.Of("convert", folder, $"{folder}.gguf").Succeeds();
        Assert.Equal(ids, Ids(Generate($"{folder}.gguf")));
    }

    private static string Folder(string name) => SharedFolder.Find("cases", "files", name)!;

    private static string[] Names() => SharedFolder.Find("cases", "files") is { } folder
        ? [.. Directory.GetDirectories(folder).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)]
        : [];

    private static List<JsonElement> Expectations()
    {
        using Stream file = typeof(FileCaseTests).Assembly.GetManifestResourceStream("file-cases.json")!;
        using JsonDocument document = JsonDocument.Parse(file);
        return [.. document.RootElement.EnumerateArray().Select(e => e.Clone())];
    }

    private static CommandLineRun Generate(string model) => InProcess.Of("generate", model, "-p", "Hello", "--greedy", "--max-tokens", "6", "--json");

    private static int[] Ids(CommandLineRun run) => [.. run.Json().GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())];

    // The twin itself, or a copy with other hyperparameters.
    private string Twin(string name, JsonElement expected)
    {
        if (!expected.TryGetProperty("config", out JsonElement config))
            return Model(name);
        string copy = Path.Combine(_folder.FullName, name);
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(Folder(name)))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        string path = Path.Combine(copy, "config.json");
        File.SetAttributes(path, FileAttributes.Normal);
        JsonObject json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        foreach (JsonProperty change in config.EnumerateObject())
            json[change.Name] = JsonNode.Parse(change.Value.GetRawText());
        File.WriteAllText(path, json.ToJsonString());
        return copy;
    }

    // What a person would give: the folder, or its GGUF file. A pointer lies there under a name that keeps it from being taken for a file.
    private string Model(string name)
    {
        string folder = Folder(name);
        if (File.Exists(Path.Combine(folder, "config.json")))
            return folder;
        string gguf = Directory.GetFiles(folder, "*.gguf*")[0];
        if (gguf.EndsWith(".gguf", StringComparison.Ordinal))
            return gguf;
        string copy = Path.Combine(_folder.FullName, "model.gguf");
        File.Copy(gguf, copy, overwrite: true);
        return copy;
    }
}
