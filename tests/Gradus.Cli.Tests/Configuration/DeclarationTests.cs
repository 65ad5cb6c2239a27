using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gradus.Cli.Configuration;

namespace Gradus.Cli.Tests.Configuration;

public enum Unlisted
{
    One,
}

public sealed record WithReservedKey(string Description = "");

public sealed record WithNumericEnum(Unlisted Unlisted = Unlisted.One);

public sealed record WithNumericKeys
{
    public Dictionary<int, int> Map { get; init; } = [];
}

public sealed record WithPropertyConverter([property: JsonNumberHandling(JsonNumberHandling.AllowReadingFromString)] int Count = 1);

[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(NumberedKind), 1)]
public abstract record NumberedBase;

public sealed record NumberedKind : NumberedBase;

public sealed record WithNumberedKind
{
    public NumberedBase Value { get; init; } = new NumberedKind();
}

public sealed record WithSetters
{
    public int Count { get; set; } = 3;

    public string Name { get; set; } = "n";
}

public sealed record Checked(string Path, int Count = 4)
{
    public string Path { get; init; } = Path ?? throw new ArgumentNullException(nameof(Path));
}

/// <summary>A figure.</summary>
/// <param name="Area">The area, <c>a</c> of <paramref name="Area"/>; <see langword="null"/> <!-- never --> is <b>not</b> one.</param>
public abstract record Figure([property: Range(0, 10)] double Area);

/// <summary>A square.</summary>
/// <param name="Area">Its area.</param>
public sealed record Square(double Area = 1) : Figure(Area);

public sealed record Circle(double Area = 2) : Figure(Area);

[JsonPolymorphic(TypeDiscriminatorPropertyName = "shape")]
[JsonDerivedType(typeof(Sharp), "sharp")]
[JsonDerivedType(typeof(Round), "round")]
public abstract record Corner;

public sealed record Sharp : Corner;

public sealed record Round(Checked Radius, Corner? Next = null) : Corner;

public sealed record Forms
{
    public Square Square { get; init; } = new();

    public Circle Circle { get; init; } = new();

    public WithSetters? Setters { get; init; }

    public Checked? Checked { get; init; }

    public Corner Corner { get; init; } = new Sharp();

    public JsonElement Free { get; init; } = JsonElement.Parse("0");
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Forms))]
[JsonSerializable(typeof(WithReservedKey))]
[JsonSerializable(typeof(WithNumericEnum))]
[JsonSerializable(typeof(WithNumericKeys))]
[JsonSerializable(typeof(WithPropertyConverter))]
[JsonSerializable(typeof(WithNumberedKind))]
[JsonSerializable(typeof(NumberedBase))]
public sealed partial class DeclarationContext : JsonSerializerContext;

/// <summary>Other ways to declare a record: those that work, and those that say to their author that they cannot.</summary>
public sealed class DeclarationTests
{
    private static string Refused(Func<object> resolve) => Assert.Throws<NotSupportedException>(resolve).Message;

    private static Forms Resolve(string recipe, params string[] overrides)
    {
        return ConfigurationTree.Resolve(DeclarationContext.Default.Forms, new Forms(), recipe, "r.json", overrides);
    }

    private static string Problem(string recipe, params string[] overrides)
    {
        return Assert.Throws<ConfigurationException>(() => Resolve(recipe, overrides)).Message;
    }

    [Fact]
    public void SettersKeepTheirDefaults()
    {
        Assert.Equal(new WithSetters { Count = 5, Name = "n" }, Resolve("""{ "setters": { "count": 5 } }""").Setters);
    }

    [Fact]
    public void AConstructorThatChecksItsArgumentsKeepsItsDefaults()
    {
        Assert.Equal(new Checked("p", 4), Resolve("""{ "checked": { "path": "p" } }""").Checked);
        Assert.Equal("r.json:1:14: checked.path: missing; expected a string", Problem("""{ "checked": { "count": 1 } }"""));
        Assert.Equal(
            new Round(new("p"), new Sharp()),
            Resolve("""{ "corner": { "radius": { "path": "p" }, "next": { "shape": "sharp" }, "shape": "round" } }""").Corner);
        Assert.Equal("r.json:1:13: corner.radius: missing; expected an object", Problem("""{ "corner": { "shape": "round" } }"""));
    }

    [Fact]
    public void AnInheritedPropertyHasItsRangeAndDescription()
    {
        Assert.Equal("r.json:1:23: square.area: must be from 0 to 10, got 11", Problem("""{ "square": { "area": 11 } }"""));
        JsonNode properties = JsonNode.Parse(ConfigurationSchema.Write(DeclarationContext.Default.Forms, new Forms()))!["properties"]!;
        Assert.Equal("Its area.", (string?)properties["square"]!["properties"]!["area"]!["description"]);
        Assert.Equal("The area, a of Area; null is not one.", (string?)properties["circle"]!["properties"]!["area"]!["description"]);
        Assert.Equal(10, (int)properties["circle"]!["properties"]!["area"]!["maximum"]!);
    }

    [Fact]
    public void AnOverrideThatNestsTooDeepIsRefused()
    {
        string deep = $"{new string('[', 64)}{new string(']', 64)}";
        Assert.StartsWith("r.json: free", Problem("{}", $"--free={deep}"), StringComparison.Ordinal);
        Assert.Contains("nested deeper than 64 levels", Problem("{}", "--setters={\"count\":" + deep + "}"), StringComparison.Ordinal);
    }

    [Fact]
    public void AFileThatIsNoDocumentationIsNotRead()
    {
        string folder = Directory.CreateTempSubdirectory("gradus-configuration-").FullName;
        File.WriteAllText(Path.Combine(folder, $"{typeof(Forms).Assembly.GetName().Name}.xml"), "<doc><member");
        Assert.Null(new XmlDescriptions(folder).Of(typeof(Square)));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void MistakesAreNamed()
    {
        DeclarationContext c = DeclarationContext.Default;
        Assert.Contains("the key \"description\" belongs to the recipe", Refused(
            () => ConfigurationTree.Resolve(c.WithReservedKey, new(), null, "none", [])), StringComparison.Ordinal);
        Assert.Contains("add typeof(SnakeCaseEnum<Unlisted>) to the context", Refused(
            () => ConfigurationTree.Resolve(c.WithNumericEnum, new(), """{ "unlisted": 0 }""", "r.json", [])), StringComparison.Ordinal);
        Assert.Contains("has strings as keys", Refused(
            () => ConfigurationTree.Resolve(c.WithNumericKeys, new(), null, "none", [])), StringComparison.Ordinal);
        Assert.Contains("put the converter on the type", Refused(
            () => ConfigurationTree.Resolve(c.WithPropertyConverter, new(), null, "none", [])), StringComparison.Ordinal);
        Assert.Contains("NumberedKind needs a string as its kind", Refused(
            () => ConfigurationTree.Resolve(c.WithNumberedKind, new(), null, "none", [])), StringComparison.Ordinal);
        Assert.Contains("the root of a configuration is a plain record", Refused(
            () => ConfigurationTree.Resolve(c.NumberedBase, new NumberedKind(), null, "none", [])), StringComparison.Ordinal);
    }
}
