namespace Gradus.Training.Data.SmallWorld;

/// <summary>The schemata of the stories. This file: one hero, with an animal or the family to help.</summary>
internal static class SingleHeroPlots
{

    public static readonly StoryPlot[] All =
    [
        new("lost", ThingTraits.None, Outdoor: false,
            [
                [
                    "{He} had {a thing} and loved to {use} it.", "{His} favorite thing was {a thing}.",
                    "{His} {kin} had given {him} {a thing}, and {he} loved it very much.",
                ],
                [
                    "One {day}, {he} took the {noun} to the {place}.", "On {day}, {hero} went to the {place} with the {noun}.",
                    "It was {day}, so {hero} and {his} {kin} took the {noun} to the {place}.",
                ],
                [
                    "But when it was time to go home, the {thing} was gone.", "After a while, {he} looked around, but the {thing} was not there.",
                    "Suddenly {hero} saw that the {thing} was missing.",
                ],
                StoryPlot.Maybe(
                    "{He} looked everywhere and began to cry.", "{Hero} was very sad, and a tear ran down {his} face.",
                    "{He} looked and looked, but {he} could not find it."),
                [
                    "Then {a helper} came. \"Don't be sad,\" it said. \"Let us look together.\"",
                    "{A helper} saw {him} and said, \"I have good eyes. Let me help you.\"",
                    "{A helper} heard {him} cry. \"I know every corner here,\" it said. \"I can help you.\"",
                ],
                ["They found the {noun} {spot}.", "Soon the {helper} found the {noun} {spot}.", "They looked for a long time, and there it was, {spot}!"],
                StoryPlot.Maybe("{Hero} hugged the {helper} and laughed.", "\"Thank you!\" said {hero}, and they danced with joy."),
                [
                    "From that day on, the two were good friends.", "{Hero} never forgot the kind {helper}.",
                    "That evening, {hero} held the {noun} tight and smiled.", "After that, {hero} always took good care of the {noun}.",
                ],
            ],
            [
                new(["What did {hero} lose?", "What was lost in the story?"], "{Hero} lost {a thing}."),
                new(["Who helped {hero}?", "Which animal helped {hero}?"], "{A helper} helped {hero}."),
                new(["Where was the {noun}?", "Where did they find the {noun}?"], "The {noun} was {spot}."),
            ]),
        new("wish", ThingTraits.None, Outdoor: false,
            [
                [
                    "One {day}, {he} saw {a thing} at the {place}.", "On {day}, {he} met an old man at the {place}. The man wanted to sell {a thing}.",
                    "One {day}, there was a little stand at the {place}, and there {he} saw {a thing}.",
                ],
                [
                    "{Hero} wanted it so much, but {he} had no money.", "\"I wish it were mine,\" thought {hero}, but {he} had no money.",
                    "It was the most beautiful {noun} of all, but it cost ten coins.",
                ],
                [
                    "So {he} carried water for {his} {kin} every morning.", "So {he} helped {his} {kin} in the garden for many days.",
                    "\"Help me in the kitchen, and I'll give you a coin each day,\" said {his} {kin}.",
                ],
                StoryPlot.Maybe("It was hard, but {hero} did not give up.", "{Hero} put every coin in a small box."),
                ["At last, {he} had enough, and {he} ran back to the {place}.", "After many days, {he} had enough coins and went back to the {place}."],
                ["The {thing} was still there, and {hero} bought it.", "The {noun} was still there! {Hero} paid and carried it home."],
                StoryPlot.Maybe("{He} was so proud that {he} danced all the way home.", "{He} {used} it all day long."),
                ["{Hero} learned that good things take time.", "It was the best {noun} in the world.", "{His} {kin} smiled and was proud of {him}."],
            ],
            [
                new(["What did {hero} want?", "What did {hero} wish for?"], "{Hero} wanted {a thing}."),
                new(["What did {hero} buy?", "What did {hero} buy in the end?"], "{Hero} bought {a thing}."),
                new(["Who did {hero} help?", "Who did {hero} work for?"], "{Hero} helped {his} {kin}."),
            ]),
        new("rescue", ThingTraits.Handy, Outdoor: true,
            [
                ["One {day}, {he} walked to the {place} with {a thing}.", "On {day}, {he} took {a thing} and went to the {place}."],
                [
                    "There {he} heard a small voice. {A helper} was stuck {spot}.", "Suddenly {he} saw {a helper} {spot}. It was hurt and could not move.",
                    "\"Help!\" someone cried. It was {a helper} that was stuck {spot}.",
                ],
                StoryPlot.Maybe("\"Don't be afraid,\" said {hero}.", "{Hero} was a little scared, but {he} wanted to help."),
                [
                    "{He} thought hard and had an idea. With the {noun}, {he} set the {helper} free.",
                    "{He} tried once, twice, three times. With the {noun}, it worked at last!",
                    "Then {he} remembered the {thing}. It was just the right thing, and soon the {helper} was safe.",
                ],
                StoryPlot.Maybe("The {helper} jumped for joy.", "\"You saved me!\" said the {helper}.", "The {helper} was so happy that it sang a song."),
                StoryPlot.Maybe("{Hero} took it home and gave it warm milk.", "They sat in the sun and ate some {snack}."),
                [
                    "From then on, the {helper} followed {hero} everywhere.", "After that, they met at the {place} every {day}.",
                    "That night, {hero} felt very brave.", "{His} {kin} was very proud of {him}.",
                ],
            ],
            [
                new(["Who was in trouble?", "Which animal was in trouble?"], "{A helper} was in trouble."),
                new(["What did {hero} use to help?", "How did {hero} help the {helper}?"], "{Hero} helped with {a thing}."),
                new(["Where was the {helper}?", "Where did {hero} see the {helper}?"], "The {helper} was {spot}."),
            ]),
        new("truth", ThingTraits.Hard, Outdoor: false,
            [
                ["{His} {kin} had {a thing} and was very proud of it.", "At home there was {a thing}. It belonged to {his} {kin}."],
                [
                    "One {day}, {hero} took the {noun} to the {place} and did not tell anyone.",
                    "\"I'll be careful,\" thought {hero}, and on {day} {he} took it to the {place}.",
                ],
                ["But {he} fell over a stone, and the {noun} broke.", "But {he} ran too fast and fell, and the {noun} broke.", "Then the {noun} fell on the hard ground and broke."],
                StoryPlot.Maybe("{Hero} hid it under the bed, but {he} could not sleep.", "At home, {he} hid the {noun} behind a door and felt very bad.", "{He} was afraid and hid it in a dark corner."),
                StoryPlot.Maybe("The next day, {friend} said, \"You should tell the truth.\"", "\"Just tell the truth,\" said {his} friend {friend}."),
                ["So {hero} went to {his} {kin} and told the truth.", "At last, {he} showed the broken {noun} to {his} {kin}. \"I am so sorry,\" {he} said."],
                StoryPlot.Maybe("\"You were brave to tell me,\" said {his} {kin}.", "{His} {kin} was not angry at all."),
                ["Together they fixed the {noun} with glue.", "They sat down at the table and fixed the {noun} together.", "Then they fixed the {noun}, and it looked like new."],
                ["{Hero} felt light and happy again.", "{Hero} always told the truth after that.", "That night, {hero} slept very well."],
            ],
            [
                new(["What did {hero} break?", "What broke in the story?"], "{Hero} broke {a thing}."),
                new(["Whose {noun} was it?", "Who did the {noun} belong to?"], "It belonged to {his} {kin}."),
                new(["Who fixed the {noun}?", "How was the {noun} fixed?"], "{Hero} and {his} {kin} fixed it together."),
            ]),
        new("gift", ThingTraits.None, Outdoor: false,
            [
                ["It was almost {his} {kin}'s birthday, and {hero} had no present.", "{His} {kin} had a birthday on {day}, and {hero} wanted to find something special."],
                ["So {he} went to the {place} and looked for a present all morning.", "{He} looked around at the {place}, but everything cost too much."],
                [
                    "There {he} saw {a thing}. It was old and dirty, but {hero} liked it.", "Then {he} found {a thing} that nobody wanted anymore.",
                    "Then an old woman gave {him} {a thing}. \"I don't need it now,\" she said.",
                ],
                StoryPlot.Maybe("{He} cleaned the {noun} and tied a ribbon around it.", "{Friend} helped {him}, and they washed it until it looked new.", "At home, {he} made it clean and put it in pretty paper."),
                StoryPlot.Maybe("On the big day, {hero} was very excited.", "{He} wrote a little card with a big heart."),
                ["When {his} {kin} saw the {thing}, {kin.he} laughed with joy.", "\"{A thing}! Just what I always wanted!\" said {his} {kin}."],
                ["It was the best birthday of all.", "{Hero} was so happy that {he} danced around the table.", "It was a gift from the heart."],
            ],
            [
                new(["What did {hero} give to {his} {kin}?", "What present did {hero} give?"], "{Hero} gave {his} {kin} {a thing}."),
                new(["Who had a birthday?", "Whose birthday was it?"], "It was {his} {kin}'s birthday."),
            ]),
        new("noise", ThingTraits.None, Outdoor: false,
            [
                ["One {day} evening, {he} walked past the {place}.", "On {day}, {hero} was alone at the {place}.", "One {day}, {he} stayed at the {place} until it was almost dark."],
                ["Suddenly {he} heard a strange noise. Something moved {spot}!", "Something was {spot}, and it made a very strange noise."],
                StoryPlot.Maybe("\"Is it a monster?\" thought {hero}.", "{He} wanted to run away, but {his} legs did not move.", "{Hero} was afraid, and {his} heart beat fast."),
                ["But {he} was curious, so {he} went closer, step by step.", "\"I am brave,\" {he} said, and {he} took one more step.", "Slowly, {he} went to look."],
                ["It was not a monster at all. It was {a helper} with {a thing}!", "And what did {he} see? {A helper} with {a thing}!", "There sat {a helper}. It had found {a thing} and did not know what to do with it."],
                StoryPlot.Maybe("{Hero} laughed and laughed.", "\"You scared me!\" said {hero}. \"You scared me, too,\" said the {helper}."),
                ["Then {he} showed the {helper} how to {use} the {noun}.", "{Hero} sat down and showed it how to {use} the {noun}."],
                ["They had so much fun that {hero} came back the next day.", "After that, {hero} was not afraid of noises anymore.", "That was how {hero} found a new friend."],
            ],
            [
                new(["Who made the noise?", "Which animal made the noise?"], "{A helper} made the noise."),
                new(["What did the {helper} have?", "Which thing did the {helper} have?"], "The {helper} had {a thing}."),
                new(["Where was the {helper}?", "Where did the noise come from?"], "The {helper} was {spot}."),
            ]),
    ];
}
