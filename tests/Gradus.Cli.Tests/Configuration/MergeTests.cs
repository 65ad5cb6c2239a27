using Gradus.Cli.Configuration;

namespace Gradus.Cli.Tests.Configuration;

public sealed class MergeTests
{
    [Fact]
    public void NothingGivenLeavesTheDefaults()
    {
        SampleRecipe given = new() { Seed = 7, Training = new() { Tags = ["x", "y"] }, Optimizer = new Muon { Momentum = 0.5 } };
        SampleRecipe resolved = ConfigurationTree.Resolve(SampleContext.Default.SampleRecipe, given, null, "none", []);
        Assert.Equal(Sample.Json(given), Sample.Json(resolved));
        Assert.Equal(7, resolved.Seed);
        Assert.Equal(["x", "y"], resolved.Training.Tags);
        Assert.Equal(0.5, Assert.IsType<Muon>(resolved.Optimizer).Momentum);
    }

    [Fact]
    public void ObjectsMergeAndKeepWhatIsNotGiven()
    {
        SampleRecipe r = Sample.Resolve("""{ "training": { "steps": 5, "warmup": 0 }, "mix": { "code": 0.5, "math": 0.1 } }""");
        Assert.Equal(5, r.Training.Steps);
        Assert.Equal(8, r.Training.BatchSize);
        Assert.Equal(TimeSpan.FromMinutes(10), r.Training.SaveEvery);
        Assert.Equal([100, 200], r.Training.Milestones);
        Assert.Equal(new() { ["code"] = 0.5, ["prose"] = 0.75, ["math"] = 0.1 }, r.Mix);
    }

    [Fact]
    public void CommentsAndTrailingCommasAreAllowedAndRecipeKeysAreNoConfiguration()
    {
        SampleRecipe r = Sample.Resolve("""
            // A recipe.
            { "$schema": "x.json", "description": "y", /* inside */ "seed": 3, "sizes": {}, }
            """);
        Assert.Equal(3, r.Seed);
    }

    [Fact]
    public void ArraysAndFreeJsonAreReplaced()
    {
        SampleRecipe r = Sample.Resolve("""{ "training": { "milestones": [1], "extra": { "other": 2 } } }""");
        Assert.Equal([1], r.Training.Milestones);
        Assert.Equal("""{"other":2}""", r.Training.Extra.GetRawText());
    }

    [Fact]
    public void TheSameKindMergesAndAnotherKindStartsFromItsOwnDefaults()
    {
        SampleRecipe same = Sample.Resolve("""{ "optimizer": { "betas": [0.9, 0.5] } }""");
        Assert.Equal(3e-4f, Assert.IsType<AdamW>(same.Optimizer).LearningRate);
        Assert.Equal([0.9f, 0.5f], ((AdamW)same.Optimizer).Betas!);
        Assert.IsType<AdamW>(Sample.Resolve("""{ "optimizer": { "kind": "adamw" } }""").Optimizer);

        SampleRecipe other = Sample.Resolve("""{ "optimizer": { "momentum": 0.8, "kind": "muon" } }""");
        Muon muon = Assert.IsType<Muon>(other.Optimizer);
        Assert.Equal((0.02, 0.8), (muon.LearningRate, muon.Momentum));
        Assert.Equal(new Lora(2), muon.Inner);
    }

    [Fact]
    public void NewObjectsStartFromTheirTypesDefaults()
    {
        SampleRecipe r = Sample.Resolve("""
            {
              "adapter": { "rank": 4 },
              "fallback": { "kind": "muon" },
              "sources": [{ "path": "a", "shards": 2 }, { "path": "b", "shards": 3, "weight": 5, "split": null }],
              "by_layer": { "0": { "kind": "chain" }, "1": { "kind": "muon", "inner": { "alpha": 1 } } }
            }
            """);
        Assert.Equal(new Lora(4, "all") { Alpha = 16 }, r.Adapter);
        Assert.Equal(0.95, Assert.IsType<Muon>(r.Fallback).Momentum);
        Assert.Equal([new("a") { Shards = 2, Weight = 1, Split = "train" }, new("b") { Shards = 3, Weight = 5, Split = null }], r.Sources);
        Assert.Equal(0.02, Assert.IsType<Muon>(Assert.Single(Assert.IsType<Chain>(r.ByLayer["0"]).Parts)).LearningRate);
        Assert.Equal(new Lora(2) { Alpha = 1 }, Assert.IsType<Muon>(r.ByLayer["1"]).Inner);
    }

    [Fact]
    public void NullEmptiesWhatMayBeNull()
    {
        SampleRecipe r = Sample.Resolve("""{ "adapter": null, "training": { "clip": null, "name": null, "compute": null } }""");
        Assert.Null(r.Adapter);
        Assert.Null(r.Training.Clip);
        Assert.Null(r.Training.Compute);
    }

    [Fact]
    public void ASizeLiesOverTheRecipeAndUnderTheOverrides()
    {
        const string Recipe = """
            {
              "training": { "steps": 50, "batch_size": 2, "name": "r" },
              "optimizer": { "kind": "muon", "momentum": 0.1 },
              "sizes": {
                "baby": { "training": { "steps": 20, "batch_size": 1 }, "optimizer": { "learning_rate": 1 } },
                "big": { "optimizer": { "kind": "adamw" } }
              }
            }
            """;
        SampleRecipe plain = Sample.Resolve(Recipe);
        Assert.Equal((50, 2), (plain.Training.Steps, plain.Training.BatchSize));
        SampleRecipe baby = Sample.Resolve(Recipe, "--training.batch_size=3", "--size=baby");
        Assert.Equal((20, 3, "r"), (baby.Training.Steps, baby.Training.BatchSize, baby.Training.Name));
        Assert.Equal((1, 0.1), (((Muon)baby.Optimizer).LearningRate, ((Muon)baby.Optimizer).Momentum));
        Assert.Equal(new AdamW(), Sample.Resolve(Recipe, "--size=big").Optimizer);
    }

    [Fact]
    public void ARunsConfigurationIsARecipeAndDeterministic()
    {
        SampleRecipe r = Sample.Resolve("""
            { "optimizer": { "kind": "chain" }, "adapter": { "rank": 3 }, "training": { "precision": "int8_dynamic", "name": "ünïcode & <tags>" } }
            """);
        string json = Sample.Json(r);
        Assert.Equal(json, Sample.Json(Sample.Resolve(json)));
        Assert.StartsWith("{\n  \"seed\": 42,\n  \"training\": {\n", json, StringComparison.Ordinal);
        Assert.EndsWith("}\n", json, StringComparison.Ordinal);
        Assert.Contains("\"name\": \"ünïcode & <tags>\"", json, StringComparison.Ordinal);
        Assert.Contains("\"kind\": \"chain\",\n    \"parts\"", json, StringComparison.Ordinal);
        Assert.DoesNotContain("tokens", json, StringComparison.Ordinal);
        Assert.DoesNotContain("ignored", json, StringComparison.Ordinal);
    }
}
