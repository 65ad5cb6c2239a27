using System.Text;
using System.Text.Json.Nodes;

namespace Gradus.Cli.Tests.Stages;

/// <summary>Every mistake in recipe or data is one line that says what, where and what to do; nothing is left in the way of the next try.</summary>
public sealed class BadInputTests : IClassFixture<BadInputTests.Folder>
{
    private readonly CliProcess _cli;

    public BadInputTests(Folder folder) => _cli = folder.Cli;

    public sealed class Folder : IDisposable
    {
        internal CliProcess Cli { get; } = new();

        public Folder()
        {
            Cli.Write("empty.txt", "");
            Cli.Write("short.txt", "too short");
            Cli.Write("latin.txt", Encoding.Latin1.GetBytes("eins\nzwei\ngrün\n"));
            Cli.Write("latin.jsonl", Encoding.Latin1.GetBytes("{\"text\": \"grün\"}\n"));
            Cli.Write("words.jsonl", "{\"text\": \"a\"}\n{\"words\": \"b\"}\n");
            Cli.Write("nothing.jsonl", "{\"text\": \"\"}\n");
            Cli.Write("broken.json", "{ \"run\": ");
            Directory.CreateDirectory(Cli["folder"]);
            Cli.Train("model", "--training.checkpoint_every=0");
            Cli.Write("chat.jsonl", "{\"prompt\": \"cat\", \"completion\": \"dog\"}\n");
            Cli.Write("long.jsonl", $"{{\"prompt\": \"{new string('a', 500)}\", \"completion\": \"dog\"}}\n");
            Cli.Write("finetune.json", """{ "run": "run", "model": "model", "data": { "train": ["chat.jsonl"] }, "training": { "steps": 1 } }""");
            Cli.Write("evaluate.json", """{ "run": "run", "models": { "a": "model" }, "tasks": [{ "kind": "loss", "name": "t", "data": ["text.txt"] }, { "kind": "answers", "name": "q", "data": ["chat.jsonl"], "max_tokens": 1 }] }""");
        }

        public void Dispose() => Cli.Dispose();
    }

    [Theory]
    [InlineData("--training.stepz=3", "training.stepz", "steps")]
    [InlineData("--training.steps=many", "training.steps", "integer")]
    [InlineData("--training.steps=0", "training.steps", "1")]
    [InlineData("--training.optimizer.kind=adamx", "adamx", "adamw")]
    [InlineData("--batching.length=17", "batching.length", "context is 16")]
    [InlineData("--data.train=missing.txt", "missing.txt", "no such file")]
    [InlineData("--data.train=folder", "folder", "is a folder")]
    [InlineData("--data.train=empty.txt", "empty.txt", "empty")]
    [InlineData("--data.train=short.txt", "short.txt", "give more text")]
    [InlineData("--data.train=latin.txt", "latin.txt: line 3", "UTF-8")]
    [InlineData("--data.train=latin.jsonl", "latin.jsonl: line 1", "UTF-8")]
    [InlineData("--data.train=words.jsonl", "words.jsonl: line 2", "\"text\" is missing")]
    [InlineData("--data.train=nothing.jsonl", "nothing.jsonl", "give more text")]
    [InlineData("--data.validation=missing.txt", "missing.txt", "no such file")]
    [InlineData("--data.train=[]", "data.train", "at least 1")]
    [InlineData("--tokenizer=missing", "missing", "tokenizer")]
    [InlineData("--tokenizer=folder", "folder", "tokenizer")]
    [InlineData("--model.n_head=3", "n_head", "does not divide")]
    [InlineData("--start_from=missing", "missing", "no such folder")]
    [InlineData("--start_from=folder", "folder", "holds no model")]
    [InlineData("--samples.prompts=this prompt is longer than the context", "samples.prompts", "context of 16")]
    [InlineData("--run=text.txt", "text.txt", "is a file")]
    [InlineData("--size=huge", "huge", "no sizes")]
    [InlineData("stray", "stray", "--path.to.value=x")]
    public void Pretraining(string option, string what, string advice) => Check("pretrain", "recipe.json", option, what, advice);

    [Theory]
    [InlineData("--model=missing", "missing", "no such folder")]
    [InlineData("--model=folder", "folder", "holds no model")]
    [InlineData("--model=text.txt", "text.txt", "is a file")]
    [InlineData("--data.train=missing.jsonl", "missing.jsonl", "no such file")]
    [InlineData("--data.train=text.txt", "text.txt: line 1", "not a JSON object")]
    [InlineData("--data.train=words.jsonl", "words.jsonl: line 2", "not a conversation")]
    [InlineData("--data.train=long.jsonl", "long.jsonl", "fits 16 tokens")]
    [InlineData("--data.columns={\"q\": \"prompt\"}", "chat.jsonl: line 1", "no field \"q\"")]
    [InlineData("--lora={\"r\": 0}", "lora.r", "1")]
    public void FineTuning(string option, string what, string advice) => Check("finetune", "finetune.json", option, what, advice);

    [Theory]
    [InlineData("--models.a=missing", "missing", "no such folder")]
    [InlineData("--tasks.0.data=missing.txt", "missing.txt", "no such file")]
    [InlineData("--tasks.1.metrics=rouge9", "rouge9", "rougeL")]
    [InlineData("--tasks.1.shots=2", "shot_data", "shots")]
    [InlineData("--tasks.0.kind=lost", "lost", "loss")]
    public void Evaluating(string option, string what, string advice) => Check("evaluate", "evaluate.json", option, what, advice);

    [Theory]
    [InlineData("missing.json", "missing.json", "no such file")]
    [InlineData("folder", "folder", "is a directory")]
    [InlineData("broken.json", "broken.json:1", "not valid JSON")]
    [InlineData("latin.txt", "latin.txt:3", "UTF-8")]
    public void Recipes(string recipe, string what, string advice)
    {
        // Besides recipes evaluate takes models, and finds out by the name's ending which it is given.
        foreach (string verb in recipe.EndsWith(".json", StringComparison.Ordinal) ? new[] { "pretrain", "finetune", "evaluate", "run" } : ["pretrain", "finetune", "run"])
            Assert.Matches($"{what}.*{advice}", _cli.Run(verb, recipe).Failed(2));
    }

    [Fact]
    public void ATokenizerThatDoesNotFitTheModel()
    {
        _cli.Write("other.txt", "Quite other letters: ÄÖÜ 0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz ÀÁÂÃ");
        string message = _cli.Run("pretrain", "recipe.json", "--run=misfit", "--start_from=model", "--data.train=other.txt").Failed(2);
        Assert.Matches("the tokenizer has [0-9]+ tokens, but the model takes [0-9]+; use the model's own tokenizer", message);

        string checkpoint = Gradus.Training.Runs.RunFolder.LatestCheckpoint(_cli["model"])!;
        string copy = Directory.CreateDirectory(_cli["misfit-model"]).FullName;
        foreach (string file in Directory.GetFiles(checkpoint))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(copy, "config.json")))!.AsObject();
        config["vocab_size"] = 5;
        File.WriteAllText(Path.Combine(copy, "config.json"), config.ToJsonString());
        foreach ((string verb, string recipe, string option) in new[] { ("finetune", "finetune.json", "--model=misfit-model"), ("evaluate", "evaluate.json", "--models.a=misfit-model") })
            Assert.Contains("the tokenizer does not fit the model", _cli.Run(verb, recipe, option).Failed(2), StringComparison.Ordinal);
        Assert.False(File.Exists(_cli["run/run.json"]));
    }

    [Fact]
    public void AFolderThatHoldsARun()
    {
        string message = _cli.Run("pretrain", "recipe.json", "--run=model").Failed(2);
        Assert.Equal("gradus: model: holds a run already; go on with --resume, or choose another folder.", message);
    }

    private void Check(string verb, string recipe, string option, string what, string advice)
    {
        string message = _cli.Run(verb, recipe, option).Failed(2);
        Assert.Contains(what, message, StringComparison.Ordinal);
        Assert.Contains(advice, message, StringComparison.Ordinal);
        Assert.False(File.Exists(_cli["run/run.json"]), "the next try would find a run in the folder");
    }
}
