namespace Gradus.Cli.Tests.Configuration;

public sealed class OverrideTests
{
    [Fact]
    public void ValuesAreReadByTheirTarget()
    {
        TrainingOptions t = Sample.Resolve(
            "{}", "--training.steps=1e4", "--training.clip=2.5e-1", "--training.resume=true", "--training.precision=bf16", "--training.name=123",
            "--training.save_every=01:30:00", "--training.compute=int8_dynamic", "--training.level=255", "--training.extra=[1,{}]").Training;
        Assert.Equal((10000, 0.25f, true, Precision.BrainFloat, "123"), (t.Steps, t.Clip, t.Resume, t.Precision, t.Name));
        Assert.Equal((TimeSpan.FromMinutes(90), Precision.Int8Dynamic, (byte)255), (t.SaveEvery, t.Compute, t.Level));
        Assert.Equal("[1,{}]", t.Extra.GetRawText());
    }

    [Theory]
    [InlineData("a=b", "a=b")]
    [InlineData("", "")]
    [InlineData("true", "true")]
    [InlineData("[1]", "[1]")]
    [InlineData("\"null\"", "null")]
    [InlineData("\"a\\tb\"", "a\tb")]
    [InlineData("\"open", "\"open")]
    [InlineData("null", null)]
    public void StringsNeedNoQuotes(string text, string? expected)
    {
        Assert.Equal(expected, Sample.Resolve("""{ "training": { "name": "x" } }""", $"--training.name={text}").Training.Name);
    }

    [Fact]
    public void AStringThatMayNotBeNullTakesTheWord()
    {
        Assert.Equal("null", Sample.Resolve("{}", "--adapter.rank=1", "--adapter.target=null").Adapter!.Target);
    }

    [Fact]
    public void NullEmptiesNumbersNamesAndObjects()
    {
        SampleRecipe r = Sample.Resolve("""{ "adapter": { "rank": 1 }, "training": { "compute": "bf16" } }""", "--adapter=null", "--training.clip=null", "--training.compute=null");
        Assert.Null(r.Adapter);
        Assert.Null(r.Training.Clip);
        Assert.Null(r.Training.Compute);
    }

    [Theory]
    [InlineData("[1, 2]", new[] { 1, 2 })]
    [InlineData("3,4 , 5", new[] { 3, 4, 5 })]
    [InlineData("7", new[] { 7 })]
    [InlineData("", new int[0])]
    [InlineData("[]", new int[0])]
    public void ArraysAreJsonOrCommas(string text, int[] expected)
    {
        Assert.Equal(expected, Sample.Resolve("{}", $"--training.milestones={text}").Training.Milestones);
    }

    [Fact]
    public void ArraysOfStringsNeedNoQuotes()
    {
        Assert.Equal(["a b", "c", "1"], Sample.Resolve("{}", "--training.tags=a b,c,1").Training.Tags);
        Assert.Equal(["a,b"], Sample.Resolve("{}", "--training.tags=[\"a,b\"]").Training.Tags);
    }

    [Fact]
    public void ElementsAndEntriesHavePaths()
    {
        SampleRecipe r = Sample.Resolve(
            """{ "sources": [{ "path": "a", "shards": 1 }, { "path": "b", "shards": 1 }] }""",
            "--sources.1.path=c", "--training.milestones.0=50", "--mix.code=1", "--mix.new=0.5", "--by_layer.last.kind=muon", "--by_layer.last.inner.rank=9");
        Assert.Equal(["a", "c"], r.Sources.Select(s => s.Path));
        Assert.Equal([50, 200], r.Training.Milestones);
        Assert.Equal((1, 0.5, 3), (r.Mix["code"], r.Mix["new"], r.Mix.Count));
        Assert.Equal(new Lora(9), Assert.IsType<Muon>(r.ByLayer["last"]).Inner);
    }

    [Fact]
    public void ObjectsAreJson()
    {
        SampleRecipe r = Sample.Resolve("{}", "--optimizer={\"kind\": \"muon\", \"momentum\": 0.3}", "--adapter={\"rank\": 2}", "--mix={\"code\": 0}");
        Assert.Equal(0.3, Assert.IsType<Muon>(r.Optimizer).Momentum);
        Assert.Equal(new Lora(2), r.Adapter);
        Assert.Equal((0, 0.75), (r.Mix["code"], r.Mix["prose"]));
    }

    [Fact]
    public void AKindIsSetBeforeTheKeysBelowItWhereverItStands()
    {
        SampleRecipe r = Sample.Resolve("{}", "--optimizer.momentum=0.3", "--optimizer.kind=muon", "--fallback.learning_rate=0.5", "--fallback.kind=adamw");
        Assert.Equal((0.3, 0.02), (Assert.IsType<Muon>(r.Optimizer).Momentum, ((Muon)r.Optimizer).LearningRate));
        Assert.Equal(0.5f, Assert.IsType<AdamW>(r.Fallback).LearningRate);
    }

    [Fact]
    public void TheLastOfTwoWins()
    {
        SampleRecipe r = Sample.Resolve("{}", "--seed=1", "--seed=2", "--optimizer.kind=chain", "--optimizer.kind=muon", "--optimizer.momentum=0");
        Assert.Equal(2, r.Seed);
        Assert.Equal(0, Assert.IsType<Muon>(r.Optimizer).Momentum);
    }

    [Fact]
    public void AnObjectThatWasNullStartsFromItsDefaults()
    {
        Assert.Equal(new Lora(4, "all") { Alpha = 2 }, Sample.Resolve("{}", "--adapter.alpha=2", "--adapter.rank=4").Adapter);
    }
}
