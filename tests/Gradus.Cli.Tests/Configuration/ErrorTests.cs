using Gradus.Cli.Configuration;

namespace Gradus.Cli.Tests.Configuration;

public sealed class ErrorTests
{
    [Theory]
    [InlineData("""{ "training": { "stepz": 1 } }""", "r.json:1:17: training.stepz: unknown key; did you mean \"steps\"?")]
    [InlineData("""{ "training": { "batch-size": 1 } }""", "r.json:1:17: training.batch-size: unknown key; did you mean \"batch_size\"?")]
    [InlineData("""{ "training": { "BatchSize": 1 } }""", "r.json:1:17: training.BatchSize: unknown key; did you mean \"batch_size\"?")]
    [InlineData("""{ "adapter": { "rank": 1, "q": 1 } }""", "r.json:1:27: adapter.q: unknown key; keys here: rank, target, alpha")]
    [InlineData("""{ "optimizer": { "momentum": 1 } }""", "r.json:1:18: optimizer.momentum: unknown key of kind \"adamw\"; keys here: kind, learning_rate, betas")]
    [InlineData("""{ "tokens": 1 }""", "r.json:1:3: tokens: unknown key; keys here: seed, training, optimizer, adapter, fallback, sources, by_layer, mix")]
    [InlineData("""{ "a\nb.c\u001b[31m": 1 }""", "r.json:1:3: \"a\\nb.c\\u001B[31m\": unknown key; keys here: seed, training, optimizer, adapter, fallback, sources, by_layer, mix")]
    [InlineData("""{ "training": { "steps": "many" } }""", "r.json:1:26: training.steps: expected an integer, got \"many\"")]
    [InlineData("""{ "training": { "steps": 1.5 } }""", "r.json:1:26: training.steps: expected an integer, got 1.5")]
    [InlineData("""{ "training": { "steps": 1e-40 } }""", "r.json:1:26: training.steps: expected an integer, got 1e-40")]
    [InlineData("""{ "training": { "steps": null } }""", "r.json:1:26: training.steps: expected an integer, got null")]
    [InlineData("""{ "training": { "steps": false } }""", "r.json:1:26: training.steps: expected an integer, got false")]
    [InlineData("""{ "training": { "steps": {} } }""", "r.json:1:26: training.steps: expected an integer, got an object")]
    [InlineData("""{ "training": { "steps": [1] } }""", "r.json:1:26: training.steps: expected an integer, got an array")]
    [InlineData("""{ "training": { "steps": 3000000000 } }""", "r.json:1:26: training.steps: must be from -2147483648 to 2147483647, got 3000000000")]
    [InlineData("""{ "training": { "steps": 1e99 } }""", "r.json:1:26: training.steps: must be from -2147483648 to 2147483647, got 1e99")]
    [InlineData("""{ "training": { "steps": 1e99999 } }""", "r.json:1:26: training.steps: must be from -2147483648 to 2147483647, got 1e99999")]
    [InlineData("""{ "training": { "level": 256 } }""", "r.json:1:26: training.level: must be from 0 to 255, got 256")]
    [InlineData("""{ "training": { "clip": "1" } }""", "r.json:1:25: training.clip: expected a number, got \"1\"")]
    [InlineData("""{ "training": { "clip": 1e39 } }""", "r.json:1:25: training.clip: must be from -3.4028235E+38 to 3.4028235E+38, got 1e39")]
    [InlineData("""{ "training": { "resume": 1 } }""", "r.json:1:27: training.resume: expected true or false, got 1")]
    [InlineData("""{ "training": { "name": true } }""", "r.json:1:25: training.name: expected a string, got true")]
    [InlineData("""{ "training": { "precision": "fp16" } }""", "r.json:1:30: training.precision: expected one of fp32, bf16, int8_dynamic, got \"fp16\"")]
    [InlineData("""{ "training": { "precision": 1 } }""", "r.json:1:30: training.precision: expected one of fp32, bf16, int8_dynamic, got 1")]
    [InlineData("""{ "training": { "save_every": "soon" } }""", "r.json:1:31: training.save_every: expected a TimeSpan, got \"soon\"")]
    [InlineData("""{ "training": { "milestones": 5 } }""", "r.json:1:31: training.milestones: expected an array, got 5")]
    [InlineData("""{ "training": { "milestones": [1, "b"] } }""", "r.json:1:35: training.milestones.1: expected an integer, got \"b\"")]
    [InlineData("""{ "training": 5 }""", "r.json:1:15: training: expected an object, got 5")]
    [InlineData("""{ "training": null }""", "r.json:1:15: training: expected an object, got null")]
    [InlineData("""{ "optimizer": "muon" }""", "r.json:1:16: optimizer: expected an object, got \"muon\"")]
    [InlineData("""{ "optimizer": { "kind": "sgd" } }""", "r.json:1:26: optimizer.kind: expected one of adamw, muon, chain, got \"sgd\"")]
    [InlineData("""{ "optimizer": { "kind": 3 } }""", "r.json:1:26: optimizer.kind: expected one of adamw, muon, chain, got 3")]
    [InlineData("""{ "fallback": { "momentum": 3 } }""", "r.json:1:15: fallback: needs \"kind\": one of adamw, muon, chain")]
    [InlineData("""{ "mix": { "code": "x" } }""", "r.json:1:20: mix.code: expected a number, got \"x\"")]
    [InlineData("""{ "by_layer": { "0": { } } }""", "r.json:1:22: by_layer.0: needs \"kind\": one of adamw, muon, chain")]
    [InlineData("""{ "sources": [{ "shards": 1 }] }""", "r.json:1:15: sources.0.path: missing; expected a string")]
    [InlineData("""{ "sources": [{ "path": "a" }] }""", "r.json:1:15: sources.0.shards: missing; expected an integer")]
    [InlineData("""{ "sources": [{ "path": "", "shards": 1 }] }""", "r.json:1:25: sources.0.path: needs at least 1 character, got \"\"")]
    [InlineData("""{ "training": { "tags": [] } }""", "r.json:1:25: training.tags: needs at least 1 element, got 0")]
    [InlineData("""{ "training": { "steps": 0, "warmup": 0 } }""", "r.json:1:26: training.steps: must be at least 1, got 0")]
    [InlineData("""{ "training": { "batch_size": 5000 } }""", "r.json:1:31: training.batch_size: must be from 1 to 4096, got 5000")]
    [InlineData("""{ "training": { "clip": 0 } }""", "r.json:1:25: training.clip: must be more than 0, got 0")]
    [InlineData("""{ "optimizer": { "learning_rate": 2 } }""", "r.json:1:35: optimizer.learning_rate: must be more than 0 and at most 1, got 2")]
    [InlineData("""{ "optimizer": { "betas": [0.9, 1] } }""", "r.json:1:33: optimizer.betas.1: must be at least 0 and less than 1, got 1")]
    [InlineData("""{ "mix": { "code": 1.5 } }""", "r.json:1:20: mix.code: must be from 0 to 1, got 1.5")]
    [InlineData("""{ "optimizer": { "kind": "chain", "parts": [{ "kind": "muon", "inner": { "rank": 0 } }] } }""", "r.json:1:82: optimizer.parts.0.inner.rank: must be from 1 to 1024, got 0")]
    [InlineData("""{ "training": { "steps": 5, "warmup": 6 } }""", "r.json:1:39: training.warmup: is 6, more than the 5 steps")]
    [InlineData("""{ "training": { "steps": 5 } }""", "r.json: training.warmup: is 10, more than the 5 steps")]
    [InlineData("""{ "training": { "name": "all wrong" } }""", "r.json:1:15: training: has a name that says so")]
    [InlineData("""{ "sizes": { "baby": { "training": { "steps": "x" } } } }""", "r.json:1:47: sizes.baby.training.steps: expected an integer, got \"x\"")]
    [InlineData("""{ "sizes": { "baby": { "sizes": {} } } }""", "r.json:1:24: sizes.baby.sizes: unknown key; keys here: seed, training, optimizer, adapter, fallback, sources, by_layer, mix")]
    [InlineData("""{ "sizes": [] }""", "r.json:1:12: sizes: expected an object, got an array")]
    [InlineData("[]", "r.json:1:1: expected an object, got an array")]
    public void ARecipesProblemNamesPlacePathAndRemedy(string recipe, string expected)
    {
        Assert.Equal(expected, Sample.Problem(recipe));
    }

    [Theory]
    [InlineData("--training.steps=many", "command line: training.steps: expected an integer, got \"many\"")]
    [InlineData("--training.steps=.5", "command line: training.steps: expected an integer, got \".5\"")]
    [InlineData("--training.steps={}", "command line: training.steps: expected an integer, got \"{}\"")]
    [InlineData("--training.steps=", "command line: training.steps: expected an integer, got \"\"")]
    [InlineData("--training.steps=0", "command line: training.steps: must be at least 1, got 0")]
    [InlineData("--training.resume=yes", "command line: training.resume: expected true or false, got \"yes\"")]
    [InlineData("--training.resume=null", "command line: training.resume: expected true or false, got null")]
    [InlineData("--training.precision=fp16", "command line: training.precision: expected one of fp32, bf16, int8_dynamic, got \"fp16\"")]
    [InlineData("--training.save_every=soon", "command line: training.save_every: expected a TimeSpan, got \"soon\"")]
    [InlineData("--training.milestones=1,b", "command line: training.milestones.1: expected an integer, got \"b\"")]
    [InlineData("--training.milestones=[1", "command line: training.milestones: not valid JSON: ")]
    [InlineData("--training.milestones.2=1", "command line: training.milestones.2: the array has elements 0 to 1; an array is replaced as a whole with JSON or commas")]
    [InlineData("--training.milestones.x=1", "command line: training.milestones.x: the array has elements 0 to 1; an array is replaced as a whole with JSON or commas")]
    [InlineData("--sources.0.path=1", "command line: sources.0: the array is empty; an array is replaced as a whole with JSON or commas")]
    [InlineData("--sources=a", "command line: sources: expected an array, got \"a\"")]
    [InlineData("--training=5", "command line: training: expected an object, got \"5\"")]
    [InlineData("--training={\"stepz\": 5}", "command line: training.stepz: unknown key; did you mean \"steps\"?")]
    [InlineData("--training={", "command line: training: not valid JSON: ")]
    [InlineData("--traning.steps=5", "command line: traning: unknown key; did you mean \"training\"?")]
    [InlineData("--training.stpes=5", "command line: training.stpes: unknown key; did you mean \"steps\"?")]
    [InlineData("--training.steps.more=5", "command line: training.steps.more: training.steps is an integer; it has no keys")]
    [InlineData("--optimizer.kind=sgd", "command line: optimizer.kind: expected one of adamw, muon, chain, got \"sgd\"")]
    [InlineData("--optimizer.momentum=1", "command line: optimizer.momentum: unknown key of kind \"adamw\"; keys here: kind, learning_rate, betas")]
    [InlineData("--optimizer=muon", "command line: optimizer: expected an object, got \"muon\"")]
    [InlineData("--fallback.momentum=1", "command line: fallback: needs \"kind\": one of adamw, muon, chain")]
    [InlineData("--adapter.alpha=1", "command line: adapter.rank: missing; expected an integer")]
    [InlineData("--training.resume", "command line: missing '=' in \"--training.resume\"; a value is set with --path.to.value=x")]
    [InlineData("steps=5", "command line: unexpected argument \"steps=5\"; a value is set with --path.to.value=x")]
    [InlineData("-s", "command line: unexpected argument \"-s\"; a value is set with --path.to.value=x")]
    [InlineData("--=5", "command line: the path of \"--=5\" is not a list of names with dots between them")]
    [InlineData("--training..steps=5", "command line: the path of \"--training..steps=5\" is not a list of names with dots between them")]
    [InlineData("--size=huge", "command line: size: unknown size \"huge\"; sizes here: baby, big")]
    [InlineData("--sizes.baby.seed=5", "command line: sizes: unknown key; ")]
    public void AnOverridesProblemNamesPathAndRemedy(string argument, string expected)
    {
        Assert.StartsWith(expected, Sample.Problem("""{ "sizes": { "baby": {}, "big": {} } }""", argument), StringComparison.Ordinal);
    }

    [Fact]
    public void HalfASurrogatePairIsRefused()
    {
        // Attributes are stored as UTF-8 and cannot hold one.
        Assert.Equal("command line: \"--training.name=\\uFFFD\" is not valid Unicode", Sample.Problem("{}", $"--training.name={(char)0xD800}"));
    }

    [Fact]
    public void ASizeNeedsSizes()
    {
        Assert.Equal("command line: size: unknown size \"baby\"; the recipe has no sizes", Sample.Problem("{}", "--size=baby"));
        ConfigurationException e = Assert.Throws<ConfigurationException>(
            () => ConfigurationTree.Resolve(SampleContext.Default.SampleRecipe, new(), null, "none", ["--size=baby"]));
        Assert.Equal("command line: size: there are no sizes without a recipe", e.Message);
    }

    [Theory]
    [InlineData("", "r.json:1:1: not valid JSON: ")]
    [InlineData("{ \"seed\": 1", "r.json:1:12: not valid JSON: ")]
    [InlineData("{\n  \"é\": 1 1 }", "r.json:2:10: not valid JSON: ")]
    [InlineData("{\r\n  \"seed\": x }", "r.json:2:11: not valid JSON: ")]
    [InlineData("{} {}", "r.json:1:4: not valid JSON: ")]
    [InlineData("{ \"seed\": 1,\n \"seed\": 2 }", "r.json:2:2: not valid JSON: the key \"seed\" is given twice")]
    [InlineData("{ \"seed\": \"\\ud800\" }", "r.json:1:11: not valid JSON: the string has half of a surrogate pair")]
    [InlineData("{ \"\\udc00\": 1 }", "r.json:1:3: not valid JSON: the string has half of a surrogate pair")]
    public void SyntaxProblemsHaveTheirPosition(string recipe, string expected)
    {
        string problem = Sample.Problem(recipe);
        Assert.StartsWith(expected, problem, StringComparison.Ordinal);
        Assert.True(problem.Length > "r.json:1:1: not valid JSON: ".Length);
        Assert.DoesNotContain("LineNumber", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void DeepNestingIsRefused()
    {
        static string Nested(int levels) => $$"""{ "training": { "extra": {{new string('[', levels)}}{{new string(']', levels)}} } }""";
        Assert.Equal("r.json:1:88: not valid JSON: nested deeper than 64 levels", Sample.Problem(Nested(63)));
        Assert.Equal("r.json:1:88: not valid JSON: nested deeper than 64 levels", Sample.Problem(Nested(100_000)));
        Assert.Equal(62, Sample.Resolve(Nested(62)).Training.Extra.GetRawText().Count(c => c == '['));
        string path = string.Join('.', Enumerable.Repeat("parts", 70));
        Assert.Contains("is not a list of names", Sample.Problem("{}", $"--{path}=1"), StringComparison.Ordinal);
    }

    [Fact]
    public void AllProblemsAreReportedAndManyAreCounted()
    {
        Assert.Equal(
            ["command line: training.resume: expected true or false, got \"x\"", "r.json:2:3: sed: unknown key; did you mean \"seed\"?"],
            Sample.Problems("{\n  \"sed\": 1 }", "--training.resume=x").Order());
        string[] many = Sample.Problems($$"""{ {{string.Join(", ", Enumerable.Range(0, 1000).Select(i => $"\"key{i}\": {i}"))}} }""");
        Assert.Equal(21, many.Length);
        Assert.Equal("… and 980 more.", many[^1]);
    }

    [Fact]
    public void LongValuesAreShortenedAndEveryProblemIsOneLine()
    {
        string problem = Sample.Problem($$"""{ "training": { "steps": "line\n{{new string('x', 1000)}}" } }""");
        Assert.True(problem.Length < 150, problem);
        Assert.DoesNotContain('\n', problem);
        ConfigurationException e = Assert.Throws<ConfigurationException>(
            () => ConfigurationTree.Load(SampleContext.Default.SampleRecipe, new(), "no\nsuch\u001b.json", []));
        Assert.Equal("no\\u000asuch\\u001b.json: no such file", e.Message);
    }

    [Fact]
    public void DefaultsAreCheckedToo()
    {
        ConfigurationException e = Assert.Throws<ConfigurationException>(() => ConfigurationTree.Resolve(
            SampleContext.Default.SampleRecipe, new SampleRecipe { Training = new(BatchSize: 0) }, null, "none", []));
        Assert.Equal("defaults: training.batch_size: must be from 1 to 4096, got 0", e.Message);
    }

    [Fact]
    public void ARecordThatRefusesItsValuesIsHeard()
    {
        ConfigurationException e = Assert.Throws<ConfigurationException>(
            () => ConfigurationTree.Resolve(SampleContext.Default.Strict, new Strict(), """{ "even": 3 }""", "r.json", []));
        Assert.Equal("r.json: 3 is odd.", e.Message);
    }
}
