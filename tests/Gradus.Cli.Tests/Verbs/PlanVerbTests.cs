using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Cli.Tests.Stages;

namespace Gradus.Cli.Tests.Verbs;

/// <summary><c>gradus plan</c> says what runs of recipes and models take, and refuses what it cannot plan.</summary>
public sealed class PlanVerbTests
{
    private const string Recipe = """
        {
          "run": "run", "tokenizer": "character", "data": { "train": ["text.txt"], "validation_fraction": 0.1 },
          "model": { "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 32 },
          "batching": { "kind": "blocks", "length": 16, "count": 4 },
          "training": { "steps": 3, "evaluate_batches": 1 }
        }
        """;

    [Fact]
    public void ARecipesRunIsPlannedWithItsTime()
    {
        using CliProcess cli = new();
        cli.Write("recipe.json", Recipe);
        JsonObject plan = JsonNode.Parse(cli.Run("plan", "recipe.json", "--measure", "--nodes", "4", "--json").Output)!["plans"]![0]!.AsObject();
        cli.Run("pretrain", "recipe.json").Succeeded();
        JsonObject inspected = JsonNode.Parse(cli.Run("inspect", "run", "--json").Output)!.AsObject();
        Assert.Equal((long)inspected["parameters"]!, (long)plan["parameters"]!);
        Assert.Equal(64, (int)plan["tokens_per_step"]!);
        Assert.Equal(3, (int)plan["steps"]!);
        JsonObject memory = plan["memory"]!.AsObject();
        Assert.Equal(memory.Where(m => m.Key != "peak").Sum(m => (long)m.Value!), (long)memory["peak"]!);
        Assert.True((double)plan["step_seconds"]! > 0);
        Assert.Equal(4, plan["nodes"]!.AsArray().Count);
        Assert.True((bool)plan["fits"]!);
        JsonObject same = JsonNode.Parse(cli.Run("pretrain", "recipe.json", "--plan", "--json", "--run=other", "--batching.count=8").Output)!.AsObject();
        Assert.Equal(128, (int)same["tokens_per_step"]!);
        Assert.False(Directory.Exists(cli["other"]));
    }

    [Fact]
    public void TheWaysToTuneAModelArePlanned()
    {
        using CliProcess cli = new();
        cli.Write("recipe.json", Recipe);
        cli.Run("pretrain", "recipe.json", "--training.steps=1").Succeeded();
        JsonArray plans = JsonNode.Parse(cli.Run("plan", "run", "--tokens", "64", "--rank", "4", "--memory", "1KB", "--json").Output)!["plans"]!.AsArray();
        Assert.Equal(["full tuning", "LoRA, rank 4", "LoRA, rank 4, over NF4"], plans.Select(p => (string)p!["training"]!));
        Assert.All(plans, p => Assert.False((bool)p!["fits"]!));
        Assert.True((long)plans[1]!["memory"]!["optimizer"]! < (long)plans[0]!["memory"]!["optimizer"]!);
        Assert.True((long)plans[2]!["memory"]!["weights"]! < (long)plans[1]!["memory"]!["weights"]!);
    }

    [Fact]
    public void ABudgetHasABestSize()
    {
        using CliProcess cli = new();
        JsonArray laws = JsonNode.Parse(cli.Run("plan", "size", "--flops", "5.76e23", "--use-tokens", "1e12", "--json").Output)!["laws"]!.AsArray();
        Assert.All(laws, l => Assert.InRange((double)l!["parameters"]!, 2e10, 1e11));
        Assert.All(laws, l => Assert.True((double)l!["for_use"]!["parameters"]! < (double)l["parameters"]!));
        Assert.Contains("give --flops", cli.Run("plan", "size", "--hours", "3").Failed(ExitCode.Usage), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "stages": [] }""", "several stages")]
    [InlineData("""{ "models": {} }""", "no recipe of pretrain or finetune")]
    [InlineData("[1", "no JSON")]
    public void OtherFilesAreRefused(string recipe, string message)
    {
        using CliProcess cli = new();
        File.WriteAllText(cli["other.json"], recipe);
        Assert.Contains(message, cli.Run("plan", "other.json").Failed(ExitCode.Usage), StringComparison.Ordinal);
    }

    [Fact]
    public void RunsWithoutALawAreRefused()
    {
        using CliProcess cli = new();
        Directory.CreateDirectory(cli["empty"]);
        Assert.Contains("at least 6 runs", cli.Run("plan", "fit", "empty").Failed(ExitCode.Usage), StringComparison.Ordinal);
        Assert.Contains("add --measure", cli.Run("plan", "empty", "--nodes", "2").Failed(ExitCode.Usage), StringComparison.Ordinal);
    }
}
