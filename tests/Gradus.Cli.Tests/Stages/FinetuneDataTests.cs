namespace Gradus.Cli.Tests.Stages;

/// <summary>What a person is told about the data of a fine-tuning, and what is stored with the model.</summary>
public sealed class FinetuneDataTests : IDisposable
{
    private readonly CliProcess _cli = new();

    public FinetuneDataTests()
    {
        _cli.Train("model", "--model.n_positions=64", "--training.steps=1", "--training.checkpoint_every=0", "--training.evaluate_every=0");
        _cli.Write("finetune.json", """
            { "run": "run", "model": "model", "data": { "train": ["chat.jsonl"], "validation_fraction": 0.3 }, "batch_tokens": 128, "max_length": 40,
              "training": { "steps": 3, "schedule": { "kind": "cosine", "warmup_steps": 5 } } }
            """);
        _cli.Write("chat.jsonl", """
            {"prompt": "the cat", "completion": "a bird", "source": "us"}
            {"prompt": "the dog", "completion": "a tree", "source": "us"}
            {"prompt": "the fox", "completion": "a moon. a moon. a moon. a moon. a moon. a moon. a moon. a moon."}
            {"messages": [{"role": "user", "content": "the owl"}]}
            {"prompt": "the owl", "completion": "a leaf"}
            {"prompt": "the owl", "completion": "a star"}
            """);
    }

    public void Dispose() => _cli.Dispose();

    [Fact]
    public void CountsPassesAndWhatWasLeftOutAreSaid()
    {
        CliResult result = _cli.Run("finetune", "finetune.json");
        result.Succeeded();
        foreach (string line in new[]
        {
            "6 records of chat.jsonl, 4 examples",
            "1 longer than 40 tokens left out (chat.jsonl: line 3)",
            "1 without anything to learn left out (chat.jsonl: line 4)",
            "fields that are not read: source (2)",
            "neither the chat template nor the tokenizer has a token that ends an answer",
            "2 examples to train on, 2 held out; 1 steps a pass, 3 steps are 3 passes",
            "warning: the warm-up of 5 steps is as long as the run or longer (3 steps)",
        })
            Assert.Contains(line, result.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Gradus.Training.Runs.RunFolder.LatestCheckpoint(_cli["run"])!, "chat_template.jinja")));
    }

    [Fact]
    public void TooLongRecordsAreCutByChoice()
    {
        CliResult result = _cli.Run("finetune", "finetune.json", "--too_long=split", "--json");
        result.Succeeded();
        Assert.Contains("1 longer than 40 tokens split (chat.jsonl: line 3)", result.Output, StringComparison.Ordinal);
        Assert.Contains("\"kind\":\"data\"", result.Output, StringComparison.Ordinal);
    }
}
