using System.Text.Json;
using Gradus.Testing;

namespace Gradus.Cli.Tests.Verbs;

/// <summary><c>gradus merge</c>, and adapters as people have them through the verbs.</summary>
public sealed class MergeVerbTests(SmallModel models) : IClassFixture<SmallModel>
{
    public static TheoryData<string> Cases()
    {
        if (SharedFolder.Find("cases", "files") is not { } cases)
            return [];
        return [.. Directory.GetDirectories(cases).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal)
            .Where(n => File.Exists(Path.Combine(cases, n, "adapter", "adapter_config.json")))];
    }

    [SharedTheory("cases", "files")]
    [MemberData(nameof(Cases))]
    public void WhatIsMergedWritesTheSame(string name)
    {
        string adapter = SharedFolder.Find("cases", "files", name, "adapter")!, merged = models[$"merged-{name}"];
        string ids = Ids(adapter);
        CommandLineRun.Of("merge", adapter, "--to", merged).Succeeds();
        Assert.Equal(ids, Ids(merged));
        CommandLineRun.Of("convert", adapter, models[$"{name}.gguf"]).Succeeds();
        Assert.Equal(ids, Ids(models[$"{name}.gguf"]));
    }

    [Fact]
    public void TheEndIdsOfAnAdapterGoAlong()
    {
        string adapter = Copy(models.Adapter, "ending");
        File.WriteAllText(Path.Combine(adapter, "generation_config.json"), """{"eos_token_id": [3, 5]}""");
        CommandLineRun.Of("merge", adapter, "--to", models["ended"]).Succeeds();
        using JsonDocument written = JsonDocument.Parse(File.ReadAllText(Path.Combine(models["ended"], "generation_config.json")));
        Assert.Equal("[3,5]", written.RootElement.GetProperty("eos_token_id").GetRawText().Replace(" ", "", StringComparison.Ordinal).ReplaceLineEndings(""));
    }

    [Fact]
    public void AnAdapterFindsItsBaseByWindowsPathsAndByName()
    {
        string adapter = Copy(models.Adapter, "windows"), config = Path.Combine(adapter, "adapter_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("../llama", @"..\\llama", StringComparison.Ordinal));
        string ids = Ids(models.Adapter);
        Assert.Equal(ids, Ids(adapter));
        File.WriteAllText(config, File.ReadAllText(config).Replace(@"..\\llama", @"C:\\models\\llama", StringComparison.Ordinal));
        CommandLineRun.Of("generate", adapter, "-p", "Hello").Fails(2, "base_model_name_or_path", "--base");
        Assert.Equal(ids, Ids(adapter, "--base", models.Llama));
        CommandLineRun.Of("inspect", adapter, "--base", models.Llama, "--json").Json();
        CommandLineRun.Of("merge", adapter, "--base", models.Llama, "--to", models["of-base"]).Succeeds();
        Assert.Equal(ids, Ids(models["of-base"]));
    }

    [Fact]
    public void SeveralModelsBecomeOne()
    {
        string other = models.Run("other", 7);
        CommandLineRun.Of("merge", models.Llama, models.Llama, "--method", "linear", "--weights", "0.5,0.5", "--to", models["same"]).Succeeds();
        Assert.Equal(Ids(models.Llama), Ids(models["same"]));
        CommandLineRun.Of("merge", models.Llama, other, "--method", "ties", "--density", "1", "--weights", "1,1", "--base", other, "--to", models["ties"]).Succeeds();
        Assert.Equal(Ids(models.Llama), Ids(models["ties"]));
        CommandLineRun.Of("merge", models.Llama, other, "--method", "slerp", "--weights", "0,1", "--to", models["slerp"]).Succeeds();
        Assert.Equal(Ids(other), Ids(models["slerp"]));
        CommandLineRun.Of("merge", models.Adapter, models.Adapter, "--method", "cat", "--weights", "0.5,0.5", "--to", models["cat"]).Succeeds();
        Assert.Equal(Ids(models.Adapter), Ids(models["cat"], "--base", models.Llama));
    }

    [Fact]
    public void WhatCannotBeMergedIsSaid()
    {
        CommandLineRun.Of("merge", models.Llama, "--to", models["x"]).Fails(2, "is one model, and no adapter");
        CommandLineRun.Of("merge", models.Llama, models.Llama, "--to", models["x"]).Fails(2, "--method is missing");
        CommandLineRun.Of("merge", models.Llama, models.Gpt2, "--method", "linear", "--to", models["x"]).Fails(2, "only models of one architecture");
        CommandLineRun.Of("merge", models.Llama, models.Adapter, "--method", "linear", "--to", models["x"]).Fails(2, "some are models and some adapters");
        CommandLineRun.Of("merge", models.Llama, models.Llama, "--method", "ties", "--to", models["x"]).Fails(2, "give the base model");
        CommandLineRun.Of("merge", models.Llama, models.Llama, "--method", "cat", "--to", models["x"]).Fails(2, "merges adapters, not whole models");
        Assert.False(Directory.Exists(models["x"]));
    }

    private static string Ids(string model, params string[] more) =>
        CommandLineRun.Of(["generate", model, "-p", "Hello", "--greedy", "--max-tokens", "6", "--json", .. more]).Json().GetProperty("ids").GetRawText();

    private string Copy(string folder, string name)
    {
        Directory.CreateDirectory(models[name]);
        foreach (string file in Directory.GetFiles(folder))
            File.Copy(file, Path.Combine(models[name], Path.GetFileName(file)), overwrite: true);
        return models[name];
    }
}
