using System.IO.Compression;
using System.Xml.Linq;

namespace Gradus.Cli.Tests.Packages;

/// <summary>The packages and the single-file programs, used as a stranger does: from a local feed in an empty folder, by the SDK alone.</summary>
public sealed class PackageTests(PackageFeed feed) : IClassFixture<PackageFeed>
{
    public static TheoryData<string> Examples => [.. Directory.GetFiles(Path.Combine(PackageFeed.Repository, "examples"), "*.cs").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [Fact]
    public void EveryPackageShowsWhatItIs()
    {
        string[] packages = Directory.GetFiles(feed.Folder, "*.nupkg");
        Assert.Equal(
            Directory.GetDirectories(Path.Combine(PackageFeed.Repository, "src")).Select(Path.GetFileName).Order(StringComparer.Ordinal),
            packages.Select(p => PackageFeed.Name(p)).Order(StringComparer.Ordinal));
        Assert.All(packages, package =>
        {
            Assert.True(File.Exists(Path.ChangeExtension(package, ".snupkg")), $"{package} has no symbols");
            using ZipArchive zip = ZipFile.OpenRead(package);
            Assert.NotNull(zip.GetEntry("icon.png"));
            using StreamReader readme = new(zip.GetEntry("README.md")!.Open());
            Assert.Contains("# Gradus", readme.ReadToEnd());
            using Stream nuspec = zip.Entries.Single(e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
            XElement metadata = XDocument.Load(nuspec).Root!.Elements().Single(e => e.Name.LocalName == "metadata");
            string Of(string name) => metadata.Elements().Single(e => e.Name.LocalName == name).Value;
            Assert.Equal("MIT", Of("license"));
            Assert.True(Of("description").Length > 40, Of("description"));
        });
    }

    /// <summary>The program on the packages' page is the example, so that it cannot fall behind.</summary>
    [Fact]
    public void ThePageShowsTheProgramThatIsRun() =>
        Assert.Contains(Program("train.cs").Trim(), File.ReadAllText(Path.Combine(PackageFeed.Repository, "src", "PACKAGE.md")).ReplaceLineEndings("\n"));

    /// <summary>What an empty project needs is one package; the programs are the examples.</summary>
    [Theory]
    [InlineData("Gradus.Training", "train.cs", "step 200: loss", "\nOne day, ")]
    [InlineData("Gradus.Server", "serve.cs", "listening at http://", "\"object\":\"text_completion\"")]
    public void AnEmptyProjectTrainsSamplesAndServes(string package, string program, params string[] printed)
    {
        string project = feed.NewFolder($"with-{package}");
        File.WriteAllText(Path.Combine(project, "consumer.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <NuGetAudit>false</NuGetAudit>
              </PropertyGroup>
              <ItemGroup><PackageReference Include="{package}" Version="{feed.Version}" /></ItemGroup>
            </Project>
            """);
        File.WriteAllText(Path.Combine(project, "Program.cs"), Program(program));
        string output = feed.Dotnet(project, "run", "-c", "Release");
        Assert.All(printed, text => Assert.Contains(text, output));
    }

    [Fact]
    public void TheToolInstallsAndRuns()
    {
        string tools = feed.NewFolder("tools");
        feed.Dotnet(tools, "tool", "install", "Gradus.Cli", "--version", feed.Version, "--tool-path", tools, "--configfile", feed.Configuration);
        string gradus = Path.Combine(tools, OperatingSystem.IsWindows() ? "gradus.exe" : "gradus");
        PackageFeed.Run(gradus, tools, "small-world", "-o", "data", "--stories", "20", "--dialogues", "5", "--instructions", "5", "--conversations", "5", "--held-out", "2");
        Assert.Contains("tokens", PackageFeed.Run(gradus, tools, "tokenizer", "train", "data/stories.train.jsonl", "-o", "tokenizer", "--vocabulary-size", "300"));
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void ExamplesRun(string file) =>
        Assert.NotEmpty(feed.Dotnet(PackageFeed.Repository, "run", "-c", PackageFeed.BuildConfiguration, Path.Combine("examples", file)).Trim());

    // What a project needs no word for: the directives of a single-file program.
    private static string Program(string example) => string.Join('\n', File.ReadAllLines(Path.Combine(PackageFeed.Repository, "examples", example)).Where(l => !l.StartsWith("#:", StringComparison.Ordinal))) + "\n";
}
