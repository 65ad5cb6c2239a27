using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Cli.Configuration;
using Gradus.Cli.Stages;
using Gradus.Testing;

namespace Gradus.Cli.Tests.Stages;

/// <summary>Every recipe that ships with Gradus can be read, and runs to its end when it is cut to a few steps.</summary>
public sealed class RecipeTests
{
    private static readonly JsonDocumentOptions Comments = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    public static TheoryData<string> All => [.. Directory.GetFiles(Folder(), "*.json").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(All))]
    public void RecipesResolveInAllTheirSizes(string name)
    {
        string file = Path.Combine(Folder(), name);
        JsonObject json = Read(file);
        string?[] sizes = [null, .. json["sizes"]?.AsObject().Select(s => s.Key) ?? []];
        Assert.All(sizes, size =>
        {
            string[] overrides = size is null ? [] : [$"--size={size}"];
            object resolved = Verb(json) == "run"
                ? ConfigurationTree.Load(RecipeJson.Default.PipelineRecipe, new PipelineRecipe(), file, overrides)
                : StageRecipe.All.Single(s => s.Kind == Verb(json)) is var stage ? ConfigurationTree.Load(stage.Metadata, stage, file, overrides) : null;
            Assert.NotNull(resolved);
        });
    }

    [SharedTheory("data")]
    [MemberData(nameof(All))]
    public void RecipesRun(string name)
    {
        using CliProcess cli = new();
        string checkout = Directory.CreateDirectory(cli["checkout"]).FullName;
        File.Copy(Path.Combine(Folder(), name), Path.Combine(checkout, name));
        JsonObject json = Read(Path.Combine(checkout, name));
        string[] options = json["stages"] is JsonArray stages
            ? [.. stages.SelectMany((s, i) => Short(s!.AsObject(), (string)s!["kind"]!, $"stages.{i}."))]
            : Short(json, Verb(json), "");
        CliProcess.Run(checkout, [("GRADUS_DATA", SharedFolder.Find("data")!)], [Verb(json), name, "--run=run", .. options]).Succeeded();
        Assert.True(File.Exists(Path.Combine(checkout, "run", "report.html")));
    }

    // A stage of one or two steps on little data, by overrides alone.
    private static string[] Short(JsonObject stage, string kind, string at)
    {
        if (kind == "small_world")
            return [$"--{at}stories=200", $"--{at}dialogues=60", $"--{at}instructions=60", $"--{at}conversations=60", $"--{at}held_out=8"];
        if (kind == "evaluate")
            return [.. stage["tasks"]!.AsArray().SelectMany((t, i) => (IEnumerable<string>)[$"--{at}tasks.{i}.limit=2", .. (string)t!["kind"]! == "answers" ? new[] { $"--{at}tasks.{i}.max_tokens=3" } : []])];
        if (kind is not ("pretrain" or "finetune" or "align"))
            return [];
        List<string> options = [$"--{at}training.steps=2", $"--{at}training.evaluate_every=0", $"--{at}training.evaluate_batches=1", $"--{at}training.checkpoint_every=1"];
        if (stage["samples"] is not null)
            options.Add($"--{at}samples.max_tokens=3");
        if (stage["batching"] is JsonObject batching)
            options.Add((string)batching["kind"]! == "blocks" ? $"--{at}batching.count=2" : $"--{at}batching.tokens=512");
        if (stage["objective"]?["sampling"] is not null)
            options.AddRange([$"--{at}objective.sampling.prompts=16", $"--{at}objective.sampling.max_new_tokens=8", .. Rewards(stage, at)]);
        if (stage["objective"]?["options"] is not null)
            options.AddRange([$"--{at}objective.options.prompts=2", $"--{at}objective.options.group_size=2", $"--{at}objective.options.max_new_tokens=4", $"--{at}data.validation_fraction=0.05"]);
        if (stage["accumulation"] is not null)
            options.Add($"--{at}accumulation=1");
        return [.. options];
    }

    // The answers of a model that has learned nothing differ in their length only.
    private static IEnumerable<string> Rewards(JsonObject stage, string at) => stage["objective"]!["rewards"]!.AsArray()
        .Select((reward, i) => (Kind: (string)reward!["kind"]!, Key: $"--{at}objective.rewards.{i}.most=4"))
        .Where(r => r.Kind == "words").Select(r => r.Key);

    private static string Verb(JsonObject recipe) =>
        recipe.ContainsKey("stages") ? "run" : recipe.ContainsKey("tasks") ? "evaluate" : recipe["objective"]?["kind"] is not null && recipe["tokenizer"] is null ? "align" : recipe["model"] is JsonValue ? "finetune" : "pretrain";

    private static JsonObject Read(string file) => JsonNode.Parse(File.ReadAllText(file), documentOptions: Comments)!.AsObject();

    private static string Folder([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(here, "..", "..", "..", "..", "recipes"));
}
