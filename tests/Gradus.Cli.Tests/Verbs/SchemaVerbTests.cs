using System.CommandLine;
using System.Text.Json;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Cli.Tests.Configuration;
using Gradus.Cli.Verbs;

namespace Gradus.Cli.Tests.Verbs;

public sealed class SchemaVerbTests
{
    private static readonly RecipeKind[] Kinds =
    [
        new("sample", "shows everything", () => ConfigurationSchema.Write(SampleContext.Default.SampleRecipe, new SampleRecipe())),
        new("other", "is another one", () => "{}\n"),
    ];

    [Fact]
    public void ListsTheKinds()
    {
        (int code, string output, _) = Run("schema");
        Assert.Equal(0, code);
        Assert.Contains("sample", output, StringComparison.Ordinal);
        Assert.Contains("is another one", output, StringComparison.Ordinal);
    }

    [Fact]
    public void PrintsTheSchemaOfAKind()
    {
        (int code, string output, _) = Run("schema", "sample");
        Assert.Equal(0, code);
        Assert.Equal("SampleRecipe", JsonDocument.Parse(output).RootElement.GetProperty("title").GetString());
    }

    [Fact]
    public void SuggestsTheNearestKind()
    {
        (int code, _, string error) = Run("schema", "smaple");
        Assert.Equal(2, code);
        Assert.Contains("did you mean \"sample\"", error, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        using CommandContext context = new(output, error);
        Command verb = SchemaVerb.Create(context, Kinds);
        int code = new Application(context, [verb]).Run(arguments);
        return (code, output.ToString(), error.ToString());
    }
}
